package cli

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"
)

// helpCommand is cobra's help command, except that an unknown topic is an error.
func helpCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "help [COMMAND]",
		Short: "Show help for a command or topic",
		Long:  "Help shows the help of a command or topic, as --help does.",
		Example: `  rtmanager help set-status
  rtmanager help exit-codes`,
		ValidArgsFunction: func(cmd *cobra.Command, args []string, prefix string) ([]string, cobra.ShellCompDirective) {
			var names []string
			for _, c := range cmd.Root().Commands() {
				if len(args) == 0 && strings.HasPrefix(c.Name(), prefix) && (c.IsAvailableCommand() || c.IsAdditionalHelpTopicCommand()) {
					names = append(names, cobra.CompletionWithDesc(c.Name(), c.Short))
				}
			}
			return names, cobra.ShellCompDirectiveNoFileComp
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			topic, rest, err := cmd.Root().Find(args)
			if err != nil {
				return err
			}
			if len(rest) > 0 {
				return fmt.Errorf("help takes one command or topic, got %q", args)
			}
			topic.InitDefaultHelpFlag() // otherwise the help would not list it
			return topic.Help()
		},
	}
}

func exitCodesTopic() *cobra.Command {
	return &cobra.Command{
		Use:   "exit-codes",
		Short: "Exit codes of all commands",
		Long: `The exit code is the result of a command:

    0  success
    1  any other error. An operation failed, for example because the image does
       not exist or the game did not start. The caller has proven no identity,
       or lacks the permission; can-i: it is not permitted. fsck: inconsistencies
       remain. list and history: values are corrupt; drift: a node did not
       respond; both after everything else was printed
    2  usage: an unknown command or flag, a missing or invalid value, a record
       or transition that is never allowed; nothing was changed
    3  conflict: the record is not as expected, by status, container or
       revision, and the message contains the current record; or the operation
       is not possible in the game's state, or another one is in progress
    4  the game has no record, or there is no such node, operation,
       rollout, secret, token, role or store
    5  the daemon, its store, the game's node or its engine is unreachable, or
       another store; a part of the result is missing without --allow-partial
  124  --timeout expired; an operation continues
  130  interrupted, the usual end of a watch; an operation continues

A command for several games exits with 0 only if it succeeded for all of them, and
otherwise with the highest code of all failures.

A script can use it:

  rtmanager set-status game-1 --from running --to stopped
  case $? in
    0) echo stopped ;;
    3) echo "another writer was faster" ;;
    4) echo "no such game" ;;
  esac`,
	}
}

func labelsTopic() *cobra.Command {
	return &cobra.Command{
		Use:   "labels",
		Short: "Labels of games, and selectors",
		Long: `Labels are pairs of key and value that select games, such as env=prod. A key and a value
have the syntax of Kubernetes: at most 63 letters, digits, -, _ and . with a letter or digit
at both ends; a key may start with a DNS name and a slash; a value may be empty.

A selector (-l) has requirements that are separated by commas and must all be true:

  env=prod          the label has the value; also env==prod
  env!=prod         it has another value, or the game has no such label
  env in (a,b)      it has one of the values
  env notin (a,b)   it has none of them, or the game has no such label
  canary            the game has the label
  !canary           the game has no such label
  level>3           the value is a larger whole number; also level<3

The shell needs quotes for some of them:

  rtmanager list -l 'env in (prod,staging),!canary,mode!=ranked'`,
	}
}
