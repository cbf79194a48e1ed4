package gamecmd

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"galaxy/rtmanager/internal/adapters/httpclient"
	"galaxy/rtmanager/internal/api"
	"galaxy/rtmanager/internal/cli/internal/exit"
	"galaxy/rtmanager/internal/cli/internal/output"
	"galaxy/rtmanager/internal/domain/operation"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
	"galaxy/rtmanager/internal/wait"
)

// maxMeasurements is how many games are measured at a time.
const maxMeasurements = 8

type statsFlags struct {
	region, node string
	interval     time.Duration
}

func (c commands) statsCommand() *cobra.Command {
	var flags statsFlags
	cmd := &cobra.Command{
		Use:     "stats [GAME…]",
		Aliases: []string{"top"},
		Short:   "Show the CPU and memory that games use",
		Long: `Stats shows how many CPUs and how much memory games use, and the sums of each node.
Without GAME it shows all running games, or those of a region or node. It measures
each game twice, with --interval in between. Games that do not run are omitted unless
they are named.`,
		Example: `  rtmanager stats
  rtmanager stats game-1 game-2 --interval 5s
  rtmanager stats --region eu --node n1 -o json`,
		ValidArgsFunction: c.CompleteGame,
	}
	cmd.Flags().StringVar(&flags.region, "region", "", "only games of this `REGION`")
	cmd.Flags().StringVar(&flags.node, "node", "", "only games of this `NODE`")
	cmd.Flags().DurationVar(&flags.interval, "interval", time.Second, "time between the two measurements; 0s measures once, without CPUS")
	cmd.RunE = c.RunE(func(cmd *cobra.Command, args []string) error {
		switch {
		case flags.interval < 0 || flags.interval > time.Minute:
			return exit.UsageError{Err: fmt.Errorf("--interval %s is not from 0s to 1m", flags.interval)}
		case len(args) > 0 && flags.region+flags.node != "":
			return exit.UsageError{Err: errors.New("--region and --node cannot be combined with GAME")}
		}
		games := make([]string, len(args))
		for i, arg := range args {
			gameID, err := c.SelectGame(cmd.Context(), arg)
			if err != nil {
				return err
			}
			games[i] = gameID
		}
		c.RemoveTimeout(cmd) // each request has its own
		return c.CallDaemon(cmd.Context(), func(ctx context.Context, client *httpclient.Client) error {
			return c.printStats(ctx, client, games, flags)
		})
	})
	return cmd
}

func (c commands) printStats(ctx context.Context, client *httpclient.Client, games []string, flags statsFlags) error {
	areNamed := len(games) > 0
	if !areNamed {
		query := ports.PageQuery{RecordFilter: ports.FilterByStatus(runtime.StatusRunning), Limit: ports.MaxPageLimit}
		if flags.region != "" {
			query.Regions = []string{flags.region}
		}
		if flags.node != "" {
			query.Nodes = []string{flags.node}
		}
		for page, err := range ports.AllPages(ctx, client, query) {
			if err != nil {
				return err
			}
			for _, found := range page.Records {
				games = append(games, found.Record.GameID)
			}
		}
	}
	first, err := measure(ctx, client, games, areNamed)
	if err != nil {
		return err
	}
	measured := make([]output.GameStats, 0, len(first))
	var second map[string]api.Stats
	if flags.interval > 0 && len(first) > 0 {
		if err := wait.For(ctx, flags.interval); err != nil {
			return err
		}
		if second, err = measure(ctx, client, games, areNamed); err != nil {
			return err
		}
	}
	for _, gameID := range games {
		earlier, isMeasured := first[gameID]
		if !isMeasured {
			continue
		}
		stats := output.GameStats{Stats: earlier}
		if later, isMeasured := second[gameID]; isMeasured {
			stats.Stats = later
			if cpus, isKnown := later.CPUs(earlier); isKnown {
				stats.CPUs = &cpus
			}
		}
		measured = append(measured, stats)
	}
	slices.SortStableFunc(measured, func(a, b output.GameStats) int {
		return cpusOf(b) - cpusOf(a)
	})
	return c.Printer().Stats(measured)
}

// cpusOf returns the CPUs in thousandths, for the order.
func cpusOf(g output.GameStats) int {
	if g.CPUs == nil {
		return 0
	}
	return int(*g.CPUs * 1000)
}

// measure returns what the games use. It omits games that do not run, unless areNamed.
func measure(ctx context.Context, client *httpclient.Client, games []string, areNamed bool) (map[string]api.Stats, error) {
	var (
		mu    sync.Mutex // guards the following variables
		found = map[string]api.Stats{}
		errs  []error
	)
	slots := make(chan struct{}, maxMeasurements)
	var requests sync.WaitGroup
	for _, gameID := range games {
		slots <- struct{}{}
		requests.Go(func() {
			defer func() { <-slots }()
			stats, err := client.Stats(ctx, gameID)
			mu.Lock()
			defer mu.Unlock()
			isAbsent := errors.Is(err, operation.ErrRejected) || errors.Is(err, runtime.ErrNotFound)
			switch {
			case err == nil:
				found[gameID] = stats
			case areNamed || !isAbsent:
				errs = append(errs, fmt.Errorf("game %q: %w", gameID, err))
			}
		})
	}
	requests.Wait()
	return found, errors.Join(errs...)
}
