package main

import (
	"fmt"
	"io"
	"regexp"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/coterie-project/coterie/internal/fault"
	"github.com/coterie-project/coterie/internal/secure"
)

const (
	defaultDays = 365
	mostDays    = 36500 // beyond, dates leave what some programs can read
)

// certsFlags are the flags of coterie certs.
type certsFlags struct {
	hosts []string
	days  int64
	newCA bool
	json  bool
}

// certsDocument is the result of certs --json.
type certsDocument struct {
	Files   []string `json:"files"`
	Written []string `json:"written"`
	Hosts   []string `json:"hosts"`
	Renewed bool     `json:"renewed"`
	Expires string   `json:"expires"`
}

// newCertsCommand is coterie certs.
func newCertsCommand(app *App) *cobra.Command {
	o := &certsFlags{}
	cmd := &cobra.Command{
		Use:   "certs DIR",
		Short: "Make the certificates of a cluster, or renew them",
		Long: "certs makes a CA, certificates for the three roles coordinator, worker and client, and the key for gossip, in the\n" +
			"folder DIR. Where there is a CA already, it renews the certificates and leaves the CA and all keys as they are:\n" +
			"running processes notice the new files by themselves. Without --host a renewal keeps the hosts.\n\n" +
			"Keep ca.key where only you can read it: whoever has it can make certificates.",
		Example: "  coterie certs pki --host node1.example --host 10.0.0.7\n  coterie certs pki --days 90",
		Args:    exactArgs("DIR"),
		RunE:    func(_ *cobra.Command, args []string) error { return o.run(app, args[0]) },
	}
	flags := cmd.Flags()
	flags.Var(newNames(&o.hosts), "host", "names or addresses of the machines of the cluster, beside localhost and this machine's name")
	flags.Var(newWhole(&o.days, defaultDays, 1, mostDays), "days", "how many `DAYS` the certificates are valid, but never longer than their CA")
	flags.BoolVar(&o.newCA, "new-ca", false, "replace the CA and all keys that are there; every machine then needs its files anew")
	addJSON(cmd, &o.json)
	return cmd
}

func (o *certsFlags) run(app *App, folder string) error {
	if folder == "" {
		return fault.Usagef(`DIR: "" is not a folder`).Do("name the folder for the certificates")
	}
	made, err := secure.NewAuthority(secure.Order{
		Folder: folder,
		Hosts:  o.hosts,
		Valid:  time.Duration(o.days) * 24 * time.Hour,
		NewCA:  o.newCA,
	})
	if err != nil {
		return err
	}
	document := certsDocument{made.Files, made.Written, made.Hosts, made.Renewed, made.Expires.UTC().Format(time.RFC3339)}
	return app.answer(o.json, document, func(w io.Writer) { describeCerts(w, folder, made) })
}

// describeCerts says what was made and how to use it.
func describeCerts(w io.Writer, folder string, made *secure.Authority) {
	what := "made a new CA, certificates and keys"
	if made.Renewed {
		what = "renewed the certificates of the CA that is there"
	}
	fmt.Fprintf(w, "%s, in %s:\n", what, folder)
	for _, path := range made.Written {
		fmt.Fprintf(w, "  %s\n", path)
	}
	fmt.Fprintf(w, "they hold until %s, for %s\n", made.Expires.UTC().Format(time.DateOnly), strings.Join(made.Hosts, ", "))
	gossip := " --gossip-key " + quoted(secure.GossipPath(folder))
	fmt.Fprintf(w, "start with:\n")
	fmt.Fprintf(w, "  coterie coordinator %s%s …\n", certsLine(folder, secure.Coordinator), gossip)
	fmt.Fprintf(w, "  coterie worker %s%s …\n", certsLine(folder, secure.Worker), gossip)
	fmt.Fprintf(w, "  coterie fit --cluster HOST:PORT %s …\n", certsLine(folder, secure.Client))
}

// certsLine are the flags of tlsFlags for a role.
func certsLine(folder string, role secure.Role) string {
	files := secure.Paths(folder, role)
	return fmt.Sprintf("--tls-cert %s --tls-key %s --tls-ca %s", quoted(files.Cert), quoted(files.Key), quoted(files.CA))
}

// plainWord is what a shell takes as it is.
var plainWord = regexp.MustCompile(`^[A-Za-z0-9_@%+=:,./-]+$`)

// quoted is a word as a shell wants it.
func quoted(word string) string {
	if plainWord.MatchString(word) {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}
