package cli

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"galaxy/rtmanager/internal/adapters/httpclient"
	"galaxy/rtmanager/internal/cli/internal/exit"
	"galaxy/rtmanager/internal/cli/internal/render"
	"galaxy/rtmanager/internal/domain/node"
	"galaxy/rtmanager/internal/ports"
)

// completionTimeout is how long a shell may wait for the daemon.
const completionTimeout = 500 * time.Millisecond

func (a *app) completionCommand() *cobra.Command {
	shells := []string{"bash", "zsh", "fish", "powershell"}
	return &cobra.Command{
		Use:   "completion bash|zsh|fish|powershell",
		Short: "Print the completion script of a shell",
		Long: `Completion prints a script that lets the shell complete commands, flags, statuses
and, by a request to the daemon, game ids, nodes and regions.`,
		Example: `  source <(rtmanager completion bash)
  rtmanager completion zsh > "${fpath[1]}/_rtmanager"
  rtmanager completion fish > ~/.config/fish/completions/rtmanager.fish
  rtmanager completion powershell | Out-String | Invoke-Expression`,
		ValidArgs: shells,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 {
				return fmt.Errorf("completion requires one shell: %s", strings.Join(shells, ", "))
			}
			return nil
		},
		RunE: a.runE(func(cmd *cobra.Command, args []string) error {
			root, out := cmd.Root(), a.streams.Out
			switch args[0] {
			case "bash":
				return root.GenBashCompletionV2(out, true)
			case "zsh":
				return root.GenZshCompletion(out)
			case "fish":
				return root.GenFishCompletion(out, true)
			case "powershell":
				return root.GenPowerShellCompletionWithDesc(out)
			}
			return exit.UsageError{Err: fmt.Errorf("unsupported shell; use one of %s", strings.Join(shells, ", "))}
		}),
	}
}

// completeGame completes the only argument, a game id.
func (a *app) completeGame(cmd *cobra.Command, args []string, prefix string) ([]string, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	return a.completeGames(cmd, args, prefix)
}

// completeGames completes game ids, if the daemon responds in time. It omits those that are given
// already, and ids that a shell would have to quote.
func (a *app) completeGames(cmd *cobra.Command, args []string, prefix string) ([]string, cobra.ShellCompDirective) {
	a.globals.timeout = completionTimeout
	var ids []string
	_ = a.callDaemon(cmd.Context(), func(ctx context.Context, client *httpclient.Client) error {
		page, err := client.ListPage(ctx, ports.PageQuery{Limit: ports.MaxPageLimit})
		for _, v := range page.Records {
			id := v.Record.GameID
			if strings.HasPrefix(id, prefix) && render.ShellWord(id) == id && !slices.Contains(args, id) {
				ids = append(ids, cobra.CompletionWithDesc(id, string(v.Record.Status)))
			}
		}
		return err
	})
	return ids, cobra.ShellCompDirectiveNoFileComp
}

// completePlacement completes --node and --region of every command except serve, whose
// values are new names.
func (a *app) completePlacement(root *cobra.Command) {
	values := map[string]func(node.Node) string{
		"node":   func(n node.Node) string { return n.Name },
		"region": func(n node.Node) string { return n.Region },
	}
	for _, cmd := range root.Commands() {
		for flag, value := range values {
			if cmd.Flags().Lookup(flag) == nil || cmd.Name() == "serve" {
				continue
			}
			_ = cmd.RegisterFlagCompletionFunc(flag, func(cmd *cobra.Command, _ []string, prefix string) ([]string, cobra.ShellCompDirective) {
				return a.presentNodes(cmd.Context(), prefix, value), cobra.ShellCompDirectiveNoFileComp
			})
		}
	}
}

// presentNodes returns the distinct values of the present nodes that start with prefix,
// if the daemon responds in time. It omits values that a shell would have to quote.
func (a *app) presentNodes(ctx context.Context, prefix string, value func(node.Node) string) []string {
	a.globals.timeout = completionTimeout
	var found []string
	_ = a.callDaemon(ctx, func(ctx context.Context, client *httpclient.Client) error {
		nodes, err := client.Nodes(ctx)
		for _, n := range nodes.Items {
			if text := value(n.Node); n.IsReady() && strings.HasPrefix(text, prefix) && render.ShellWord(text) == text {
				found = append(found, text)
			}
		}
		return err
	})
	slices.Sort(found)
	return slices.Compact(found)
}
