package gamecmd

import (
	"context"
	"fmt"
	"io"
	"strconv"

	"github.com/spf13/cobra"

	"galaxy/rtmanager/internal/adapters/httpclient"
	"galaxy/rtmanager/internal/cli/internal/exit"
)

// allLines is the value of --tail that selects all lines.
const allLines = "all"

func (c commands) logsCommand() *cobra.Command {
	var options httpclient.LogOptions
	var tail string
	cmd := &cobra.Command{
		Use:   "logs GAME",
		Short: "Print the log of a game",
		Long: `Logs prints what a game has written to standard output and standard error, oldest
first. With -f it prints further lines as they arrive, and ends when the game exits
or with an interrupt (exit code 130).

The log is that of the game's container on its node: the daemon forwards the request.
It contains the earlier runs of the container; --previous selects only those, for
example what a game wrote before it crashed and was restarted. A patch creates a new
container and removes the previous one with its log.

The values of the game's secrets are replaced. Anything else that the game prints can
be read by every reader of the game.

On a terminal, control characters other than colors are replaced. In a pipe the output
is unchanged.`,
		Example: `  rtmanager logs game-1 --tail 100
  rtmanager logs game-1 -f --since 10m
  rtmanager logs game-1 --previous --timestamps | grep -i panic`,
		Args:              requireOneGame,
		ValidArgsFunction: c.CompleteGame,
	}
	flags := cmd.Flags()
	flags.BoolVarP(&options.IsFollowing, "follow", "f", false, "print further lines until the game exits")
	flags.StringVar(&tail, "tail", allLines, "only the last `N` lines")
	flags.StringVar(&options.Since, "since", "", "only lines since a `TIME` in RFC 3339, or since a duration ago, such as 10m")
	flags.BoolVar(&options.IsPrevious, "previous", false, "only what the container wrote before its latest start")
	flags.BoolVar(&options.HasTimes, "timestamps", false, "start each line with its time, by the clock of the game's node")
	cmd.RunE = c.RunE(func(cmd *cobra.Command, args []string) (err error) {
		if options.Tail, err = parseTail(tail); err != nil {
			return exit.UsageError{Err: err}
		}
		if options.IsFollowing && options.IsPrevious {
			return exit.UsageError{Err: fmt.Errorf("--follow and --previous cannot be combined: what a container wrote before its latest start is complete")}
		}
		gameID, err := c.SelectGame(cmd.Context(), args[0])
		if err != nil {
			return err
		}
		c.RemoveTimeout(cmd) // a log can be long
		return c.CallDaemon(cmd.Context(), func(ctx context.Context, client *httpclient.Client) error {
			return c.printLogs(ctx, client, gameID, options)
		})
	})
	return cmd
}

// parseTail returns the number of lines of --tail, -1 for all.
func parseTail(text string) (int, error) {
	if text == allLines {
		return -1, nil
	}
	lines, err := strconv.ParseInt(text, 10, 32)
	if err != nil || lines < 0 {
		return 0, fmt.Errorf("--tail %q is not a number of lines; use 0 or more, or %s", text, allLines)
	}
	return int(lines), nil
}

func (c commands) printLogs(ctx context.Context, client *httpclient.Client, gameID string, options httpclient.LogOptions) error {
	log, err := client.Logs(ctx, gameID, options)
	if err != nil {
		return err
	}
	defer func() { _ = log.Close() }()
	out := c.Out
	if c.IsTerminal {
		terminal := &terminalWriter{out: out}
		defer terminal.flush()
		out = terminal
	}
	_, err = io.Copy(out, log)
	return err
}
