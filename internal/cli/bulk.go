package cli

import (
	"context"
	"errors"
	"fmt"
	"time"

	"galaxy/rtmanager/internal/cli/internal/exit"
	"galaxy/rtmanager/internal/cli/internal/render"
	"galaxy/rtmanager/internal/cli/internal/selection"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/wait"
)

// bulk is one run of a command for several games.
type bulk[T any] struct {
	app      *app
	name     string // of the command
	parallel int
	isQuiet  bool // suppresses the summary of a run without failures
	// print prints the result of one game.
	print func(T) error
	// count returns the count of the games that succeeded, for the summary.
	count func(done, total int) string

	errs exit.MultiError
	done int
}

// run calls act for each game, prints each result, and then the summary.
func (b *bulk[T]) run(ctx context.Context, games []string, act func(ctx context.Context, gameID string) (T, error)) error {
	notStarted := b.runAll(ctx, games, act)
	return b.finish(ctx, len(games), notStarted)
}

// runAll calls act for each game, prints each result, and returns how many games it has not
// started.
func (b *bulk[T]) runAll(ctx context.Context, games []string, act func(ctx context.Context, gameID string) (T, error)) (notStarted int) {
	return selection.Run(ctx, games, b.parallel, func(ctx context.Context, gameID string) (T, error) {
		ctx, cancel := b.app.globals.withTimeout(ctx)
		defer cancel()
		return retryLimited(ctx, func() (T, error) { return act(ctx, gameID) })
	}, b.report)
}

// The backoff of a request that the daemon rejects because of its limits.
const (
	minLimitBackoff = 250 * time.Millisecond
	maxLimitBackoff = 4 * time.Second
	maxLimitRetries = 12 // about 40 seconds
)

// retryLimited calls request until the daemon does not reject it because of its limits.
func retryLimited[T any](ctx context.Context, request func() (T, error)) (T, error) {
	backoff := minLimitBackoff
	for retries := 0; ; retries++ {
		result, err := request()
		if !errors.Is(err, runtime.ErrLimited) || retries == maxLimitRetries || wait.For(ctx, wait.Jittered(backoff)) != nil {
			return result, err
		}
		backoff = min(2*backoff, maxLimitBackoff)
	}
}

// report prints the result of one game.
func (b *bulk[T]) report(result selection.Result[T]) {
	if result.Err == nil {
		b.done++
		result.Err = b.print(result.Value)
	}
	if result.Err != nil {
		b.fail(result.GameID, result.Err)
	}
}

// fail prints the error of one game.
func (b *bulk[T]) fail(gameID string, err error) {
	err = newCommandError([]string{b.name, render.Value(gameID)}, err)
	b.app.reporter().ReportLine(err)
	b.errs = append(b.errs, err)
}

// finish prints the summary, or returns it as an error.
func (b *bulk[T]) finish(ctx context.Context, total, notStarted int) error {
	summary := fmt.Sprintf("%d of %s done", b.done, render.Count(total, "game"))
	if b.count != nil {
		summary = b.count(b.done, total)
	}
	if failed := len(b.errs); failed > 0 {
		summary += fmt.Sprintf(", %d failed", failed)
	}
	if notStarted > 0 {
		summary += fmt.Sprintf(", %d not attempted", notStarted)
	}
	switch {
	case ctx.Err() != nil:
		b.app.printMessagef(b.name, "interrupted: %s", summary)
		return ctx.Err()
	case len(b.errs) > 0:
		return exit.SummaryError{Summary: b.name + ": " + summary, Errs: b.errs}
	case !b.isQuiet:
		b.app.printMessagef(b.name, "%s", summary)
	}
	return nil
}
