package clustercmd

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"galaxy/rtmanager/internal/cli/internal/exit"
	"galaxy/rtmanager/internal/cli/internal/output"
	"galaxy/rtmanager/internal/cli/internal/render"
	"galaxy/rtmanager/internal/domain/membership"
	"galaxy/rtmanager/internal/domain/node"
	"galaxy/rtmanager/internal/pki"
)

const (
	year              = 365 * 24 * time.Hour
	defaultValidity   = year
	defaultCAValidity = 10 * year
	// maxMembers is the largest number of members that etcd recommends.
	maxMembers = 7
	// apiPort and clientPort are the ports of the printed commands.
	apiPort, clientPort = 8080, 2379
	// defaultCertsDir is the directory of certificates on a host in printed commands.
	defaultCertsDir = "/etc/rtmanager"
)

type initFlags struct {
	dir, certs           string
	members              []string
	validity, caValidity time.Duration
}

func (c commands) initCommand() *cobra.Command {
	var flags initFlags
	cmd := &cobra.Command{
		Use:   "init --dir DIR --member REGION/NODE=HOST...",
		Short: "Make the certificates of a new cluster, and print the commands of its hosts",
		Long: `Init creates a directory with the authorities of a new cluster, one for the API and one
for etcd, and with the certificates of each member below nodes/REGION/NODE. The client
certificate of an administrator is in users/admin. Then it prints the commands that copy
the certificates and start the daemons. It connects to no host.

HOST is the address at which clients and the other members reach the daemon: an IP
address, or a name. More names and addresses of the same host follow after commas. The
ports are 8080 for the API, 2379 for clients of etcd and 2380 for its members.

A cluster works while more than half of its members do, so use 1, 3 or 5 of them: 3
tolerate the loss of 1, and 5 that of 2. An even number tolerates no more than one less.

The directory must not exist or be empty. Keep it on a machine that only administrators
can reach: its keys can prove every identity.`,
		Example: `  rtmanager cluster init --dir pki --member eu/eu-1=eu-1 --member us/us-1=us-1 --member ap/ap-1=ap-1
  rtmanager cluster init --dir pki --member eu/eu-1=eu-1.example.com,10.0.1.1`,
		Args: requireNoArguments,
	}
	f := cmd.Flags()
	f.StringVar(&flags.dir, "dir", "", "`DIR` to create")
	f.StringArrayVar(&flags.members, "member", nil, "a member `REGION/NODE=HOST`, repeatable; the first one starts the cluster")
	f.StringVar(&flags.certs, "certs", defaultCertsDir, "`DIR` of the certificates on each host, for the printed commands")
	f.DurationVar(&flags.caValidity, "ca-validity", defaultCAValidity, "how long the authorities are valid")
	f.DurationVar(&flags.validity, "validity", defaultValidity, "how long certificates are valid, such as 720h")
	_ = cmd.MarkFlagRequired("dir")
	_ = cmd.MarkFlagRequired("member")
	cmd.RunE = c.RunE(func(cmd *cobra.Command, _ []string) error {
		c.UseNoDaemon()
		members, err := parseMembers(flags.members)
		if err != nil {
			return exit.UsageError{Err: err, See: cmd.CommandPath()}
		}
		return c.init(cmd, flags, members)
	})
	return cmd
}

func (c commands) init(cmd *cobra.Command, flags initFlags, members []pki.NodeHosts) error {
	_, err := pki.Init(flags.dir, pki.Options{CAValidity: flags.caValidity, Validity: flags.validity, Now: c.Now, Nodes: members})
	if errors.Is(err, pki.ErrHasAuthority) {
		return exit.HintError{Err: err, Hint: "a second authority would make certificates that no member trusts; `rtmanager cluster cert issue` adds a member to the cluster"}
	}
	if err != nil {
		return err
	}
	quorum := membership.Quorum{Voters: len(members), Responding: len(members)}
	if quorum.IsEven() {
		c.printMessagef(cmd, "warning: %s", quorum.Advice())
	}
	return c.Printer().ClusterInit(describeInit(flags, members, quorum))
}

// parseMembers returns the members of the flags, each REGION/NODE=HOST,HOST.
func parseMembers(texts []string) ([]pki.NodeHosts, error) {
	var members []pki.NodeHosts
	var errs []error
	for _, text := range texts {
		member, err := parseMember(text)
		if err == nil {
			err = rejectDuplicate(member, members)
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("--member %s: %w", render.Value(text), err))
		}
		members = append(members, member)
	}
	if len(members) > maxMembers {
		errs = append(errs, fmt.Errorf("%d members are named; etcd works best with at most %d", len(members), maxMembers))
	}
	return members, errors.Join(errs...)
}

func parseMember(text string) (pki.NodeHosts, error) {
	name, hosts, hasHosts := strings.Cut(text, "=")
	if !hasHosts || hosts == "" {
		return pki.NodeHosts{}, errors.New("is not REGION/NODE=HOST, such as eu/eu-1=10.0.1.1")
	}
	ref, err := node.ParseRef(name)
	if err != nil {
		return pki.NodeHosts{}, err
	}
	member := pki.NodeHosts{Node: ref, Hosts: strings.Split(hosts, ",")}
	return member, pki.ValidateNode(member)
}

// rejectDuplicate returns an error if another member has the name or a host of the member.
func rejectDuplicate(member pki.NodeHosts, others []pki.NodeHosts) error {
	for i, host := range member.Hosts {
		if slices.Contains(member.Hosts[:i], host) {
			return fmt.Errorf("host %s is named twice", host)
		}
	}
	for _, other := range others {
		if other.Node == member.Node {
			return fmt.Errorf("%s is named twice", member.Node)
		}
		for _, host := range member.Hosts {
			if slices.Contains(other.Hosts, host) {
				return fmt.Errorf("host %s is also that of %s; each member needs its own", host, other.Node)
			}
		}
	}
	return nil
}

// describeInit returns what was created, and what to do next.
func describeInit(flags initFlags, members []pki.NodeHosts, quorum membership.Quorum) output.ClusterInit {
	dir := filepath.Clean(flags.dir)
	first := members[0].Hosts[0]
	described := output.ClusterInit{Directory: dir, Quorum: quorum.String()}
	for i, member := range members {
		host, files := member.Hosts[0], filepath.Join(dir, "nodes", member.Node.Region, member.Node.Name)
		start := startCommand{certs: flags.certs, node: member.Node, host: host}
		if i > 0 {
			start.join = []string{clientURL(first)}
		}
		described.Members = append(described.Members, output.ClusterInitMember{
			Name: member.Node.String(), Host: host, Files: files,
			Copy:  "scp " + render.ShellWord(files) + "/* " + render.ShellWord(scpHost(host)+":"+flags.certs+"/"),
			Start: start.String(),
		})
	}
	admin := filepath.Join(dir, "users", "admin")
	setServer := func(host string) string {
		return "rtmanager context set cluster --server https://" + net.JoinHostPort(host, strconv.Itoa(apiPort))
	}
	if len(members) > 1 {
		described.OtherDaemon = setServer(members[1].Hosts[0])
	}
	described.Context = fmt.Sprintf("%s --cacert %s --cert %s --key %s", setServer(first), render.ShellWord(filepath.Join(admin, "ca.crt")),
		render.ShellWord(filepath.Join(admin, "tls.crt")), render.ShellWord(filepath.Join(admin, "tls.key")))
	return described
}

// startCommand is the command that starts the daemon of a member.
type startCommand struct {
	certs string
	node  node.Ref
	host  string
	join  []string // client URLs of members; none for the first member
}

func (s startCommand) String() string {
	mode := "--cluster-init"
	if len(s.join) > 0 {
		mode = "--cluster-join " + render.ShellWord(strings.Join(s.join, ","))
	}
	listen := "--listen " + net.JoinHostPort(s.host, strconv.Itoa(apiPort))
	if _, err := netip.ParseAddr(s.host); err != nil {
		listen = fmt.Sprintf("--listen 0.0.0.0:%d --advertise https://%s:%d", apiPort, s.host, apiPort)
	}
	return fmt.Sprintf("rtmanager serve %s --certs %s --region %s --node %s %s",
		mode, render.ShellWord(s.certs), render.ShellWord(s.node.Region), render.ShellWord(s.node.Name), listen)
}

// clientURL returns the URL of a host for clients of etcd.
func clientURL(host string) string {
	return "https://" + net.JoinHostPort(host, strconv.Itoa(clientPort))
}

// scpHost returns the host as scp expects it.
func scpHost(host string) string {
	if strings.Contains(host, ":") {
		return "[" + host + "]"
	}
	return host
}
