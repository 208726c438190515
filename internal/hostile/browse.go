package hostile

import (
	"bytes"
	"context"
	"encoding/json"
	"html"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// browseWait is how long the browser may take, on a machine that does other things.
const browseWait = 2 * time.Minute

// Browse opens a page in a headless Chromium that reaches no network, and gives what a script of the page has left in its
// first <pre> as a JSON list of what is wrong, and what the browser's console said. It skips t where there is no browser.
func Browse(t testing.TB, page string, flags ...string) (wrong []string, said string) {
	t.Helper()
	browser, err := exec.LookPath("chromium")
	if err != nil {
		t.Skip("no chromium here to open the pages with")
	}
	dir := t.TempDir()
	file := filepath.Join(dir, "page.html")
	if err := os.WriteFile(file, []byte(page), 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), browseWait)
	defer cancel()
	command := exec.CommandContext(ctx, browser, append([]string{"--headless", "--no-sandbox", "--disable-gpu", "--user-data-dir=" + filepath.Join(dir, "profile"),
		"--host-resolver-rules=MAP * ~NOTFOUND", "--enable-logging=stderr", "--dump-dom", "file://" + file}, flags...)...)
	command.WaitDelay = 5 * time.Second
	var console bytes.Buffer
	command.Stderr = &console
	out, err := command.Output()
	if err != nil {
		t.Skipf("chromium does not start here: %v", err)
	}
	result := regexp.MustCompile(`(?s)<pre>(.*?)</pre>`).FindSubmatch(out)
	if result == nil || json.Unmarshal([]byte(html.UnescapeString(string(result[1]))), &wrong) != nil {
		t.Fatalf("the page's script has left nothing: %.300s", out)
	}
	return wrong, strings.Join(regexp.MustCompile(`(?m)^.*CONSOLE.*$`).FindAllString(console.String(), -1), "\n")
}
