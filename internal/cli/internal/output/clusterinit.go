package output

import (
	"fmt"
	"strings"

	"galaxy/rtmanager/internal/cli/internal/render"
)

// ClusterInit is a new directory with the certificates of a cluster, and what to do next.
type ClusterInit struct {
	Directory string `json:"directory"`
	// Quorum describes how many members may be lost.
	Quorum  string              `json:"quorum"`
	Members []ClusterInitMember `json:"members"`
	// Context is the command that makes the administrator a context of the client.
	Context string `json:"context_command"`
	// OtherDaemon is the command that directs the context to another member; none for one member.
	OtherDaemon string `json:"other_daemon_command,omitempty"`
}

// ClusterInitMember is a member and the commands of its host.
type ClusterInitMember struct {
	Name string `json:"name"`
	Host string `json:"host"`
	// Files is the directory of its certificates.
	Files string `json:"files"`
	// Copy copies the files to the host, and Start starts the daemon there.
	Copy  string `json:"copy_command"`
	Start string `json:"serve_command"`
}

// ClusterInit prints the next commands.
func (p *Printer) ClusterInit(c ClusterInit) error {
	if done, err := p.Encode(c); done {
		return err
	}
	var b strings.Builder
	fmt.Fprintf(&b, "Created %s with the certificates of %s.\n", render.Value(c.Directory), c.Quorum)
	fmt.Fprintf(&b, "\nCopy the certificates of each member to its host. They must belong to the user of its daemon:\n")
	for _, m := range c.Members {
		fmt.Fprintf(&b, "  %s\n", m.Copy)
	}
	for i, m := range c.Members {
		switch i {
		case 0:
			fmt.Fprintf(&b, "\nStart the cluster on %s:\n", m.Host)
		case 1:
			fmt.Fprintf(&b, "\nWhen that daemon is ready, on %s:\n", m.Host)
		default:
			fmt.Fprintf(&b, "\nOn %s:\n", m.Host)
		}
		fmt.Fprintf(&b, "  %s\n", m.Start)
	}
	fmt.Fprintf(&b, "\nUse the same command at every start, with the other settings of the host. Then, on this machine:\n  %s\n  rtmanager cluster status\n", c.Context)
	if c.OtherDaemon != "" {
		fmt.Fprintf(&b, "\nWhile %s is down, use another member:\n  %s\n", c.Members[0].Host, c.OtherDaemon)
	}
	_, err := fmt.Fprint(p.Out, b.String())
	return err
}
