package cli

import (
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"

	"galaxy/rtmanager/internal/cli/internal/exit"
	"galaxy/rtmanager/internal/cli/internal/render"
)

func (a *app) manCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "man DIR",
		Short: "Write the manual pages of all commands",
		Long: `Man writes a manual page for each command to DIR, which is created if it does not exist:
rtmanager.1, rtmanager-list.1 and so on.`,
		Example: `  rtmanager man ~/.local/share/man/man1 && man rtmanager-list
  sudo rtmanager man /usr/local/share/man/man1`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 || args[0] == "" {
				return fmt.Errorf("man requires one directory, got %d arguments", len(args))
			}
			return nil
		},
		ValidArgsFunction: func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
			return nil, cobra.ShellCompDirectiveFilterDirs
		},
		RunE: a.runE(func(cmd *cobra.Command, args []string) error {
			a.usesNoDaemon = true
			root := cmd.Root()
			root.DisableAutoGenTag = true      // it would have the date
			err := os.MkdirAll(args[0], 0o755) //nolint:gosec // manual pages are for all users
			if err == nil {
				err = doc.GenManTree(root, &doc.GenManHeader{Section: "1", Source: "rtmanager " + root.Version, Manual: "rtmanager"}, args[0])
			}
			if pathErr := (*os.PathError)(nil); errors.As(err, &pathErr) {
				return exit.HintError{Err: err, Hint: "DIR is a directory that you can write to"}
			}
			if err != nil {
				return err
			}
			_, err = fmt.Fprintf(a.streams.Out, "manual pages written to %s\n", render.Value(args[0]))
			return err
		}),
	}
}
