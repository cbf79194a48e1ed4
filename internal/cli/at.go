package cli

import (
	"errors"

	"github.com/spf13/cobra"

	"galaxy/rtmanager/internal/cli/internal/render"
	"galaxy/rtmanager/internal/daemon"
)

// atFlags select a backup in which a command reads in place of a daemon.
type atFlags struct{ file, prefix string }

// readAt makes a command that only reads able to read in a backup, by the flag --at.
func (a *app) readAt(cmd *cobra.Command) *cobra.Command {
	var at atFlags
	cmd.Flags().StringVar(&at.file, "at", "", "read in the backup `FILE` of rtmanager backup, not from a daemon")
	cmd.Flags().StringVar(&at.prefix, "etcd-prefix", "", "`PATH` prefix of the store in the backup of --at; needed if it has several")
	run := cmd.RunE
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		return a.runAt(cmd, at, func() error { return run(cmd, args) })
	}
	return cmd
}

// runAt calls run while requests are served from the backup, if there is one.
func (a *app) runAt(cmd *cobra.Command, at atFlags, run func() error) error {
	hasPrefix := cmd.Flags().Changed("etcd-prefix")
	switch {
	case !cmd.Flags().Changed("at") && hasPrefix:
		return errors.New("--etcd-prefix selects a store in a backup: give --at as well")
	case at.file == "":
		return run() // an empty --at is rejected there
	}
	if allStores := cmd.Flags().Lookup("all-stores"); a.globals.store != "" || allStores != nil && allStores.Changed {
		return errors.New("a backup has no other stores: --at excludes --store and --all-stores")
	}
	if repair := cmd.Flags().Lookup("repair"); repair != nil && repair.Changed {
		return errors.New("a backup is read-only: --at and --repair exclude each other; restore the backup, then repair the store")
	}
	return a.runE(func(cmd *cobra.Command, _ []string) (err error) {
		a.usesNoDaemon = true
		var prefix *string
		if hasPrefix {
			prefix = &at.prefix
		}
		view, err := daemon.OpenBackup(cmd.Context(), at.file, prefix, clientBuild().Version)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, view.Close()) }()
		age := render.Age(a.streams.Now().Sub(view.Manifest.CreatedAt))
		a.printMessagef(commandName(cmd), "backup %s of %s, %s ago, at revision %d", render.Value(at.file), render.Time(view.Manifest.CreatedAt), age, view.Manifest.Revision)
		a.globals.backup = view
		return run()
	})(cmd, nil)
}
