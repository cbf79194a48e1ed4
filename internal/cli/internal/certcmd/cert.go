package certcmd

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"galaxy/rtmanager/internal/cli/internal/exit"
	"galaxy/rtmanager/internal/cli/internal/host"
	"galaxy/rtmanager/internal/cli/internal/output"
	"galaxy/rtmanager/internal/domain/node"
	"galaxy/rtmanager/internal/pki"
)

// Default validities of certificates.
const (
	year               = 365 * 24 * time.Hour
	defaultCAValidity  = 10 * year
	defaultValidity    = year
	defaultRenewWithin = 30 * 24 * time.Hour
)

func (c commands) certCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "cert COMMAND",
		Short: "Make a small certificate authority, and issue and renew its certificates",
		Long: `Cert makes certificates for those without a certificate authority of their own. It works
on a directory of files and connects to no daemon. Keep the directory on one machine
that only its administrators can reach: its keys can prove every identity.

"cert init" creates it. Then "cert issue" creates a directory of files for each daemon
and each user, to be copied to its machine. Daemons and clients read changed files
while they run, so a renewed certificate needs no restart.

A daemon with the files of nodes/eu/eu-1 in /etc/rtmanager has the setting
  certs: /etc/rtmanager`,
		Example: `  rtmanager cert init --dir pki
  rtmanager cert issue --dir pki --node eu/eu-1 --host eu-1.example,10.0.0.7
  rtmanager cert issue --dir pki --user ada --group ops
  rtmanager cert renew --dir pki`,
	}
	cmd.AddCommand(c.certInitCommand(), c.certIssueCommand(), c.certListCommand(), c.certRenewCommand(), c.certRotateCACommand())
	return cmd
}

// certDir binds the flag of the directory.
func certDir(cmd *cobra.Command) *string {
	dir := cmd.Flags().String("dir", "", "`DIR` of the authority")
	_ = cmd.MarkFlagRequired("dir")
	return dir
}

// certValidity binds the flag of the validity of certificates.
func certValidity(cmd *cobra.Command) *time.Duration {
	return cmd.Flags().Duration("validity", defaultValidity, "how long certificates are valid, such as 720h")
}

func (c commands) certInitCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "init --dir DIR",
		Short: "Create the authorities, and the certificate of an administrator",
		Long: `Init creates a directory with two authorities: one for the API of daemons, and a
separate one for etcd, so that the certificate of a user of the API never opens etcd.
It also creates the client certificate of the user admin, an administrator, in
users/admin, and that of root for etcd in etcd-clients/root.

The directory must not exist or be empty.`,
		Example: `  rtmanager cert init --dir pki`,
		Args:    host.RequireNoArguments,
	}
	dir, validity := certDir(cmd), certValidity(cmd)
	caValidity := cmd.Flags().Duration("ca-validity", defaultCAValidity, "how long the authorities are valid")
	cmd.RunE = c.RunE(func(*cobra.Command, []string) error {
		c.UseNoDaemon()
		leaves, err := pki.Init(*dir, pki.Options{CAValidity: *caValidity, Validity: *validity, Now: c.Now})
		if err != nil {
			return err
		}
		return c.printCertificates(leaves)
	})
	return cmd
}

func (c commands) certIssueCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "issue --dir DIR {--node REGION/NODE --host HOST,… | --user NAME | --etcd-client NAME}",
		Short: "Issue certificates of a daemon, a user or a client of etcd",
		Long: `Issue creates a directory with everything that one daemon, user or client of etcd needs,
to be copied to its machine. A name that exists is not replaced; renew it.

--node issues the certificate of a daemon, with which it serves its API and calls other
daemons, and its certificate for etcd. Name all host names and addresses by which
clients and daemons reach it; localhost and loopback addresses are included.

--user issues the client certificate of a user of the API. Roles are bound to the user
(user:NAME) or to its groups (group:GROUP); the group rtmanager:admins makes it an
administrator.`,
		Example: `  rtmanager cert issue --dir pki --node eu/eu-1 --host eu-1.example,10.0.0.7
  rtmanager cert issue --dir pki --user ada --group ops
  rtmanager cert issue --dir pki --user root --group rtmanager:admins --validity 720h
  rtmanager cert issue --dir pki --etcd-client backup`,
		Args: host.RequireNoArguments,
	}
	dir, validity := certDir(cmd), certValidity(cmd)
	var request certRequest
	f := cmd.Flags()
	f.StringVar(&request.node, "node", "", "daemon `REGION/NODE`")
	f.StringSliceVar(&request.hosts, "host", nil, "names and addresses `HOST,HOST` of the daemon, repeatable")
	f.StringVar(&request.user, "user", "", "`NAME` of a user of the API")
	f.StringSliceVar(&request.groups, "group", nil, "`GROUP` of the user, repeatable")
	f.StringVar(&request.etcdClient, "etcd-client", "", "`NAME` of a client of etcd, such as etcdctl")
	cmd.MarkFlagsOneRequired("node", "user", "etcd-client")
	cmd.MarkFlagsMutuallyExclusive("node", "user", "etcd-client")
	cmd.MarkFlagsRequiredTogether("node", "host")
	cmd.RunE = c.RunE(func(cmd *cobra.Command, _ []string) error {
		if len(request.groups) > 0 && request.user == "" {
			return exit.UsageError{Err: errors.New("--group requires --user"), See: cmd.CommandPath()}
		}
		return c.withCertDir(*dir, func(d *pki.Directory) error {
			leaves, err := request.issue(d, *validity)
			if errors.Is(err, pki.ErrExists) {
				return exit.HintError{Err: err, Hint: "renew it with `rtmanager cert renew --all`, or remove its directory first"}
			}
			if err != nil {
				return err
			}
			return c.printCertificates(leaves)
		})
	})
	return cmd
}

// certRequest is what certificates are issued for: one of node, user and etcdClient is set.
type certRequest struct {
	node, user, etcdClient string
	hosts, groups          []string
}

func (r certRequest) issue(d *pki.Directory, validity time.Duration) ([]pki.Leaf, error) {
	switch {
	case r.user != "":
		return d.IssueUser(r.user, r.groups, validity)
	case r.etcdClient != "":
		return d.IssueEtcdClient(r.etcdClient, validity)
	}
	ref, err := node.ParseRef(r.node)
	if err != nil {
		return nil, exit.UsageError{Err: fmt.Errorf("--node %w", err)}
	}
	return d.IssueNode(ref, r.hosts, validity)
}

func (c commands) certListCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "list --dir DIR",
		Short:   "List the issued certificates",
		Long:    `List prints the issued certificates and when they expire.`,
		Example: `  rtmanager cert list --dir pki`,
		Args:    host.RequireNoArguments,
	}
	dir := certDir(cmd)
	cmd.RunE = c.RunE(func(*cobra.Command, []string) error {
		return c.withCertDir(*dir, func(d *pki.Directory) error {
			leaves, err := d.Leaves()
			if err != nil {
				return err
			}
			return c.printCertificates(leaves)
		})
	})
	return cmd
}

// withCertDir calls use with an open directory.
func (c commands) withCertDir(dir string, use func(*pki.Directory) error) (err error) {
	c.UseNoDaemon()
	opened, err := pki.Open(dir, c.Now)
	if errors.Is(err, fs.ErrNotExist) {
		return exit.HintError{Err: err, Hint: "create it with `rtmanager cert init --dir DIR`, or correct --dir"}
	}
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, opened.Close()) }()
	return use(opened)
}

// printCertificates prints the certificates with their files.
func (c commands) printCertificates(leaves []pki.Leaf) error {
	certificates := make([]output.Certificate, 0, len(leaves))
	for _, leaf := range leaves {
		certificates = append(certificates, output.Certificate{
			Name: leaf.Name, Issuer: string(leaf.Issuer), Subject: leaf.Cert.Subject.String(),
			NotAfter: leaf.Cert.NotAfter.UTC(), NeedsRenewal: leaf.IsReplaced, File: filepath.Clean(leaf.CertFile),
		})
	}
	return c.Printer().Certificates(certificates)
}
