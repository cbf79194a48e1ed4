package cli

import (
	"time"

	"github.com/spf13/cobra"

	"galaxy/rtmanager/internal/cli/internal/gamecmd"
	"galaxy/rtmanager/internal/cli/internal/host"
	"galaxy/rtmanager/internal/cli/internal/rolloutcmd"
)

// gameCommands returns the commands of package gamecmd.
func (a *app) gameCommands() []*cobra.Command {
	return gamecmd.Commands(gamecmd.Host{
		In: a.streams.In, Out: a.streams.Out, Err: a.streams.Err, IsTerminal: a.streams.IsTerminal,
		RunE: a.runE, SelectGame: a.selectGame, SelectGames: a.selectGames, CompleteGame: a.completeGame, CompleteGames: a.completeGames, CallDaemon: a.callDaemon, Printer: a.printer, UserName: a.userName,
		RemoveTimeout: func(cmd *cobra.Command) {
			if !cmd.Flags().Changed("timeout") {
				a.globals.timeout = 0
			}
		},
	})
}

// rolloutCommand returns the command of package rolloutcmd.
func (a *app) rolloutCommand() *cobra.Command {
	return rolloutcmd.Command(a.host())
}

// host returns what the commands of other packages use of the command line.
func (a *app) host() host.Host {
	return host.Host{
		In: a.streams.In, Out: a.streams.Out, Err: a.streams.Err, IsTerminal: a.streams.IsTerminal, IsErrTerminal: a.streams.IsErrTerminal,
		Now: a.streams.Now, LookupEnv: a.streams.LookupEnv, Version: clientBuild().Version,
		RunE: a.runE, CallDaemon: a.callDaemon, Printer: a.printer, UserName: a.userName, CompleteGame: a.completeGame,
		SetTimeout: func(timeout time.Duration) { a.globals.timeout = timeout }, UseNoDaemon: func() { a.usesNoDaemon = true },
	}
}
