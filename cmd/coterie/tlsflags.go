package main

import (
	"github.com/spf13/cobra"

	"github.com/coterie-project/coterie/internal/secure"
)

// tlsFlags say who this process is to the others of a cluster. They are the same for every command that takes part.
type tlsFlags struct {
	cert, key, ca string // PEM files; all empty = plain text
}

// bind adds the flags to a command.
func (f *tlsFlags) bind(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringVar(&f.cert, "tls-cert", "", "`FILE` with the certificate of this process, as coterie certs makes it")
	flags.StringVar(&f.key, "tls-key", "", "`FILE` with the key of --tls-cert")
	flags.StringVar(&f.ca, "tls-ca", "", "`FILE` with the CA that signed the certificates of the others")
}

// identity loads the files, and notices later when they change. Without the flags it is nil, which is plain text.
func (f *tlsFlags) identity() (*secure.Identity, error) {
	return secure.Load(secure.Files{Cert: f.cert, Key: f.key, CA: f.ca})
}
