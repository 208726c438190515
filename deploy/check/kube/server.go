package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/coterie-project/coterie/deploy/check"
)

// startWait bounds the start of the server; on an idle machine it takes some ten seconds.
const startWait = 3 * time.Minute

// paths are where objects of a kind are created, by namespace.
var paths = map[string]string{
	"ConfigMap":               "/api/v1/namespaces/%s/configmaps",
	"HorizontalPodAutoscaler": "/apis/autoscaling/v2/namespaces/%s/horizontalpodautoscalers",
	"NetworkPolicy":           "/apis/networking.k8s.io/v1/namespaces/%s/networkpolicies",
	"Pod":                     "/api/v1/namespaces/%s/pods",
	"PodDisruptionBudget":     "/apis/policy/v1/namespaces/%s/poddisruptionbudgets",
	"Service":                 "/api/v1/namespaces/%s/services",
	"ServiceAccount":          "/api/v1/namespaces/%s/serviceaccounts",
	"StatefulSet":             "/apis/apps/v1/namespaces/%s/statefulsets",
}

// server is an API server with its store.
type server struct {
	address, token, version string
	client                  *http.Client
	programs                []*exec.Cmd
	logs                    []string
}

// start starts both programs and waits until the server is ready.
func start(ctx context.Context, programs, work string) (*server, error) {
	ports, err := free(3)
	if err != nil {
		return nil, err
	}
	var random [16]byte
	rand.Read(random[:]) // it does not fail: see crypto/rand
	s := &server{address: "https://127.0.0.1:" + ports[2], token: hex.EncodeToString(random[:])}
	// The certificate is one that the server makes for itself on loopback, a moment ago; who this is, the token says.
	s.client = &http.Client{Timeout: 30 * time.Second, Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}}
	key, tokens := filepath.Join(work, "key.pem"), filepath.Join(work, "tokens.csv")
	if err := writeKey(key); err != nil {
		return nil, err
	}
	if err := os.WriteFile(tokens, []byte(s.token+",check,check,system:masters\n"), 0o600); err != nil {
		return nil, err
	}
	store := "http://127.0.0.1:" + ports[0]
	err = s.launch(work, filepath.Join(programs, "etcd"), "--data-dir", filepath.Join(work, "etcd"), "--listen-client-urls", store, "--advertise-client-urls", store,
		"--listen-peer-urls", "http://127.0.0.1:"+ports[1], "--initial-advertise-peer-urls", "http://127.0.0.1:"+ports[1], "--initial-cluster", "default=http://127.0.0.1:"+ports[1])
	if err == nil {
		err = s.launch(work, filepath.Join(programs, "kube-apiserver"), "--etcd-servers", store, "--bind-address", "127.0.0.1", "--secure-port", ports[2],
			"--cert-dir", filepath.Join(work, "certs"), "--token-auth-file", tokens, "--authorization-mode", "RBAC", "--service-cluster-ip-range", "10.96.0.0/16",
			"--service-account-issuer", "https://check.example", "--service-account-key-file", key, "--service-account-signing-key-file", key,
			"--disable-admission-plugins", "ServiceAccount") // no controller makes the accounts of a namespace here
	}
	if err == nil {
		err = s.ready(ctx)
	}
	if err != nil {
		s.stop()
		return nil, err
	}
	return s, nil
}

func (s *server) launch(work, program string, args ...string) error {
	log := filepath.Join(work, filepath.Base(program)+".log")
	file, err := os.Create(log)
	if err != nil {
		return err
	}
	defer file.Close()
	cmd := exec.Command(program, args...)
	cmd.Stdout, cmd.Stderr = file, file
	if err := cmd.Start(); err != nil {
		return err
	}
	s.programs, s.logs = append(s.programs, cmd), append(s.logs, log)
	return nil
}

// ready waits until the server says so, and takes its version.
func (s *server) ready(ctx context.Context) error {
	for end := time.Now().Add(startWait); ; time.Sleep(100 * time.Millisecond) {
		if _, err := s.ask(ctx, http.MethodGet, "/readyz", nil); err == nil {
			break
		} else if ctx.Err() != nil || time.Now().After(end) {
			return fmt.Errorf("the server is not ready: %w\n%s", err, s.said())
		}
	}
	text, err := s.ask(ctx, http.MethodGet, "/version", nil)
	var v struct{ GitVersion string }
	if err == nil {
		err = json.Unmarshal(text, &v)
	}
	s.version = v.GitVersion
	return err
}

// said is the end of both logs.
func (s *server) said() string {
	var all strings.Builder
	for _, log := range s.logs {
		text, _ := os.ReadFile(log) // there is nothing better to say without it
		fmt.Fprintf(&all, "%s:\n%s\n", filepath.Base(log), text[max(0, len(text)-2000):])
	}
	return all.String()
}

// stop ends the server, then its store.
func (s *server) stop() {
	for i := len(s.programs) - 1; i >= 0; i-- {
		s.programs[i].Process.Signal(syscall.SIGTERM)
		timer := time.AfterFunc(10*time.Second, func() { s.programs[i].Process.Kill() })
		s.programs[i].Wait()
		timer.Stop()
	}
}

// ask sends a request; any answer but one of success is an error with its text.
func (s *server) ask(ctx context.Context, method, path string, body []byte) ([]byte, error) {
	request, err := http.NewRequestWithContext(ctx, method, s.address+path, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	request.Header.Set("Authorization", "Bearer "+s.token)
	request.Header.Set("Content-Type", "application/json")
	reply, err := s.client.Do(request)
	if err != nil {
		return nil, err
	}
	defer reply.Body.Close()
	text, err := io.ReadAll(io.LimitReader(reply.Body, 1<<20))
	if err != nil {
		return nil, err
	}
	if warning := reply.Header.Get("Warning"); warning != "" {
		return nil, fmt.Errorf("%s %s: warning: %s", method, path, warning)
	}
	if reply.StatusCode/100 != 2 {
		var status struct{ Message string }
		json.Unmarshal(text, &status) // where it is none, the code says enough
		return nil, fmt.Errorf("%s %s: %s %s", method, path, reply.Status, status.Message)
	}
	return text, nil
}

func (s *server) namespace(ctx context.Context, name string) error {
	// What pods may do is held against the strictest of the standards.
	_, err := s.ask(ctx, http.MethodPost, "/api/v1/namespaces", fmt.Appendf(nil,
		`{"metadata":{"name":%q,"labels":{"pod-security.kubernetes.io/enforce":"restricted","pod-security.kubernetes.io/warn":"restricted"}}}`, name))
	return err
}

// create makes an object in a namespace, with strict validation: unknown fields and fields that stand twice are refused,
// warnings are errors.
func (s *server) create(ctx context.Context, path string, o *check.Object, namespace string) error {
	var document map[string]any
	if err := json.Unmarshal(o.JSON, &document); err != nil {
		return err
	}
	document["metadata"].(map[string]any)["namespace"] = namespace
	body, err := json.Marshal(document)
	if err != nil {
		return err
	}
	if _, err := s.ask(ctx, http.MethodPost, path+"?fieldValidation=Strict", body); err != nil {
		return fmt.Errorf("%s: %w", o, err)
	}
	return nil
}

// refuses makes sure that the server would have said it: of a misspelled field, and of a pod with too many rights.
func (s *server) refuses(ctx context.Context) error {
	const head = `{"apiVersion":"v1","kind":"Pod","metadata":{"name":"wrong"},"spec":{"containers":[{"name":"a","image":"a"}]`
	for _, c := range []struct{ body, want string }{
		{head + `,"restartPolice":"Never"}}`, `unknown field "spec.restartPolice"`},
		{head + `}}`, "violates PodSecurity"},
	} {
		_, err := s.ask(ctx, http.MethodPost, "/api/v1/namespaces/n0/pods?fieldValidation=Strict", []byte(c.body))
		if err == nil || !strings.Contains(err.Error(), c.want) {
			return fmt.Errorf("a wrong pod: got %v, want %q", err, c.want)
		}
	}
	fmt.Println("a misspelled field and a pod with too many rights are refused, as they should be")
	return nil
}

func writeKey(file string) error {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return err
	}
	return os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)}), 0o600)
}

// free gives ports that are free now.
func free(n int) ([]string, error) {
	var ports []string
	for range n {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, err
		}
		defer l.Close()
		_, port, _ := net.SplitHostPort(l.Addr().String())
		ports = append(ports, port)
	}
	return ports, nil
}
