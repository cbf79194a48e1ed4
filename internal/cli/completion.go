package cli

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"galaxy/rtmanager/internal/adapters/httpclient"
	"galaxy/rtmanager/internal/cli/internal/complete"
	"galaxy/rtmanager/internal/cli/internal/exit"
)

// completionTimeout is how long a shell may wait for the daemon.
const completionTimeout = 500 * time.Millisecond

func (a *app) completionCommand() *cobra.Command {
	shells := []string{"bash", "zsh", "fish", "powershell"}
	return &cobra.Command{
		Use:   "completion bash|zsh|fish|powershell",
		Short: "Print the completion script of a shell",
		Long: `Completion prints a script that lets the shell complete commands, flags and statuses and,
by a request to the daemon, the games that a command is for, nodes, regions, images and
labels.

The script for bash needs the package bash-completion (Debian: apt install bash-completion,
then a new shell). Without it, it completes commands and flags, but no words with colons.`,
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
				return genBash(root, out)
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

// bashFallback defines the functions of the package bash-completion that the script needs, for a
// bash without the package.
const bashFallback = `
if ! declare -F _get_comp_words_by_ref >/dev/null 2>&1; then
    _get_comp_words_by_ref() {
        while [[ $# -gt 0 && $1 == -* ]]; do [[ $1 == -n ]] && shift; shift; done
        cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]}
        words=("${COMP_WORDS[@]}") cword=$COMP_CWORD
    }
    __ltrim_colon_completions() { :; }
    _filedir() { COMPREPLY=($(compgen -f -- "$cur")); }
fi
`

// genBash prints the script for bash.
func genBash(root *cobra.Command, out io.Writer) error {
	if err := root.GenBashCompletionV2(out, true); err != nil {
		return err
	}
	_, err := io.WriteString(out, bashFallback)
	return err
}

// completer completes values by requests to the daemon.
func (a *app) completer() complete.Source {
	return complete.Source{CallDaemon: func(ctx context.Context, use func(context.Context, *httpclient.Client) error) error {
		a.globals.timeout = completionTimeout
		return a.callDaemon(ctx, use)
	}}
}

// completeGame completes the only argument, a game id.
func (a *app) completeGame(cmd *cobra.Command, args []string, prefix string) ([]string, cobra.ShellCompDirective) {
	return a.completer().Game(cmd, args, prefix)
}

// completeGames completes game ids.
func (a *app) completeGames(cmd *cobra.Command, args []string, prefix string) ([]string, cobra.ShellCompDirective) {
	return a.completer().Games(cmd, args, prefix)
}
