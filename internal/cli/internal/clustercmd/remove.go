package clustercmd

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"

	"github.com/spf13/cobra"

	"galaxy/rtmanager/internal/adapters/httpclient"
	"galaxy/rtmanager/internal/api"
	"galaxy/rtmanager/internal/cli/internal/exit"
	"galaxy/rtmanager/internal/cli/internal/render"
	"galaxy/rtmanager/internal/domain/membership"
	"galaxy/rtmanager/internal/domain/node"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
)

// removeFlags are the flags of remove and replace.
type removeFlags struct {
	isDryRun, isConfirmed, isForced bool
	host, certs                     string
}

func (f *removeFlags) bind(cmd *cobra.Command, forceText string) {
	cmd.Flags().BoolVar(&f.isDryRun, "dry-run", false, "show the effect, and change nothing")
	cmd.Flags().BoolVar(&f.isConfirmed, "yes", false, "skip the confirmation")
	cmd.Flags().BoolVar(&f.isForced, "force", false, forceText)
}

func (c commands) removeCommand() *cobra.Command {
	var flags removeFlags
	cmd := &cobra.Command{
		Use:   "remove MEMBER",
		Short: "Remove a member from the cluster for good",
		Long: `Remove removes an etcd member: the cluster becomes smaller. Its data directory cannot be
used any more; the daemon of the member stops. MEMBER is the name of the member,
REGION/NODE, or its id.

First it shows how many members may be lost before and after. It is rejected, with exit
code 3, if the cluster would lose its quorum, and for the last member; --force changes
nothing about that. A member that responds is also rejected while another one does not,
unless --force is given. Without a quorum, etcd cannot change its members.

Stop the games of the node first: "rtmanager nodes" lists them. To exchange a lost member
for a new one, use "cluster replace".

Remove requires confirmation: pass --yes if there is no terminal.`,
		Example: `  rtmanager cluster remove ap/ap-1 --dry-run
  rtmanager cluster remove ap/ap-1 --yes`,
		Args: requireMember,
	}
	flags.bind(cmd, "remove a member that responds although another one does not")
	cmd.RunE = c.RunE(func(cmd *cobra.Command, args []string) error {
		return c.remove(cmd, membership.RemovalRequest{Name: args[0], IsForced: flags.isForced}, flags)
	})
	return cmd
}

func (c commands) replaceCommand() *cobra.Command {
	var flags removeFlags
	cmd := &cobra.Command{
		Use:   "replace MEMBER",
		Short: "Remove a lost member, and print the command that starts its successor",
		Long: `Replace removes an etcd member that is lost, and prints the command that starts its
successor: on the same host with an empty data directory, or on another one. The successor
has the name of the lost member, copies the records from the others, and takes over the
games of the node.

First it proves that the member does not respond, for several seconds, and that a quorum
remains. It is rejected, with exit code 3, for a member that responds: stop its daemon,
or pass --force. MEMBER is the name of the member, REGION/NODE, or its id.

A successor with another address needs a certificate with that address: pass --host, and
replace prints the commands.

Replace requires confirmation: pass --yes if there is no terminal.`,
		Example: `  rtmanager cluster replace us/us-1
  rtmanager cluster replace us/us-1 --host 10.0.2.9 --yes`,
		Args: requireMember,
	}
	flags.bind(cmd, "replace a member that responds")
	cmd.Flags().StringVar(&flags.host, "host", "", "`HOST` of the successor (default that of the lost member)")
	cmd.Flags().StringVar(&flags.certs, "certs", defaultCertsDir, "`DIR` of the certificates on the host, for the printed command")
	cmd.RunE = c.RunE(func(cmd *cobra.Command, args []string) error {
		return c.remove(cmd, membership.RemovalRequest{Name: args[0], IsForced: flags.isForced, IsReplacement: true}, flags)
	})
	return cmd
}

func requireMember(cmd *cobra.Command, args []string) error {
	if len(args) != 1 || args[0] == "" {
		return fmt.Errorf("%s requires one MEMBER, such as eu/eu-1", cmd.Name())
	}
	return nil
}

// remove shows the effect of a removal, requires the confirmation, and removes the member.
func (c commands) remove(cmd *cobra.Command, request membership.RemovalRequest, flags removeFlags) error {
	if !flags.isConfirmed && !flags.isDryRun && !c.IsTerminal {
		return exit.UsageError{Err: errors.New("not a terminal: pass --yes to confirm, or --dry-run")}
	}
	plan := request
	plan.IsDryRun = true
	removal, err := c.requestRemoval(cmd.Context(), plan)
	if err != nil {
		return adviseRemoval(err)
	}
	c.printPlan(cmd, removal)
	if !request.IsReplacement {
		c.warnOfGames(cmd, removal.Member.Name)
	}
	if flags.isDryRun {
		return c.Printer().MemberRemoved(removal, nil)
	}
	if !flags.isConfirmed && !c.Confirm(fmt.Sprintf("Remove member %s?", render.Value(removal.Member.Label()))) {
		return errors.New("not confirmed; nothing was done")
	}
	// The id selects the member that was shown, also if its name has been used by another one.
	request.Name = removal.Member.ID
	removal, err = c.requestRemoval(cmd.Context(), request)
	if err != nil {
		return adviseRemoval(err)
	}
	var next []string
	if request.IsReplacement {
		next = successorCommands(removal, flags)
	}
	return c.Printer().MemberRemoved(removal, next)
}

func (c commands) requestRemoval(ctx context.Context, request membership.RemovalRequest) (removal api.MemberRemoval, err error) {
	err = c.CallDaemon(ctx, func(ctx context.Context, client *httpclient.Client) error {
		removal, err = client.RemoveMember(ctx, request)
		return err
	})
	return removal, err
}

// printPlan prints the effect to standard error.
func (c commands) printPlan(cmd *cobra.Command, removal api.MemberRemoval) {
	member := render.Value(removal.Member.Label())
	state := "does not respond"
	if removal.Member.Responds {
		state = "responds"
	}
	c.printMessagef(cmd, "member %s %s", member, state)
	c.printMessagef(cmd, "before: %s; after: %s", removal.Before.Text, removal.After.Text)
	for _, warning := range removal.Warnings {
		c.printMessagef(cmd, "warning: %s", render.Printable(warning))
	}
}

// warnOfGames warns of the running games of the node of a member. A failed request is no reason to
// reject the removal.
func (c commands) warnOfGames(cmd *cobra.Command, member string) {
	ref, err := node.ParseRef(member)
	if err != nil {
		return // the member is not embedded in the daemon of a node
	}
	_ = c.CallDaemon(cmd.Context(), func(ctx context.Context, client *httpclient.Client) error {
		page, err := client.ListPage(ctx, ports.PageQuery{RecordFilter: ports.FilterByNode(ref, runtime.StatusRunning), Limit: ports.MaxPageLimit})
		if err == nil && len(page.Records) > 0 {
			c.printMessagef(cmd, "warning: %s on node %s: they continue to run, but no daemon stops or restarts them; stop or move them first",
				render.Count(len(page.Records), "running game"), render.Value(member))
		}
		return err
	})
}

// adviseRemoval adds the hint for the error of a removal.
func adviseRemoval(err error) error {
	var unsafe *membership.UnsafeError
	switch {
	case errors.Is(err, membership.ErrNotFound):
		return exit.HintError{Err: err, Hint: "`rtmanager cluster members` lists the members"}
	case errors.As(err, &unsafe) && unsafe.CanForce:
		return exit.HintError{Err: err, Hint: "--force removes it nevertheless"}
	case errors.Is(err, membership.ErrUnsafe), errors.Is(err, membership.ErrNoQuorum):
		return exit.HintError{Err: err, Hint: "`rtmanager cluster status` shows which members respond"}
	}
	return exit.WriteError{Err: err, UnknownHint: "`rtmanager cluster members` shows whether the member was removed; the command can be repeated"}
}

// successorCommands returns the commands that start the successor of a removed member.
func successorCommands(removal api.MemberRemoval, flags removeFlags) []string {
	ref, err := node.ParseRef(removal.Member.Name)
	if err != nil {
		return nil // not the member of a daemon
	}
	var join []string
	for _, m := range removal.Remaining {
		if m.Responds && len(m.ClientURLs) > 0 {
			join = append(join, m.ClientURLs[0])
		}
	}
	slices.Sort(join)
	lost := hostOf(removal.Member.ClientURLs)
	start := startCommand{certs: flags.certs, node: ref, host: lost, join: join}
	if flags.host == "" || flags.host == lost {
		return []string{start.String()}
	}
	start.host = flags.host
	name := ref.Region + "/" + ref.Name
	return []string{
		"rm -r pki/nodes/" + render.ShellWord(name),
		"rtmanager cluster cert issue --dir pki --node " + render.ShellWord(name) + " --host " + render.ShellWord(flags.host),
		"scp pki/nodes/" + render.ShellWord(name) + "/* " + render.ShellWord(scpHost(flags.host)+":"+flags.certs+"/"),
		start.String(),
	}
}

// hostOf returns the host of the first URL, or HOST.
func hostOf(urls []string) string {
	for _, text := range urls {
		if u, err := url.Parse(text); err == nil && u.Hostname() != "" {
			return u.Hostname()
		}
	}
	return "HOST"
}
