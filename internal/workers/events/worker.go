// Package events enqueues the games whose containers change, by the event stream of the
// engine. Events are hints: if some may have been lost, it triggers a full reconcile. While
// it has no stream it suspends the health checks: an engine that is away takes the ports
// that it forwards with it (moby/moby#47051).
package events

import (
	"context"
	"log/slog"
	"time"

	"github.com/cenkalti/backoff/v5"

	"galaxy/rtmanager/internal/domain/container"
	"galaxy/rtmanager/internal/ports"
	"galaxy/rtmanager/internal/wait"
)

// Enqueuer is the queue of the reconcile worker.
type Enqueuer interface {
	// Enqueue requests to reconcile the game.
	Enqueue(gameID string)
	// EnqueueRemoved is Enqueue after the removal of a container of the game.
	EnqueueRemoved(gameID, containerID string)
	// TriggerFullReconcile requests to reconcile all games.
	TriggerFullReconcile()
}

// Dependencies are the parts that a Worker uses. All are required.
type Dependencies struct {
	Engine ports.ContainerReader
	Queue  Enqueuer
	// Health, if not nil, is suspended while no stream is open.
	Health HealthSuspender
}

// HealthSuspender is the part of the health worker that depends on the engine.
type HealthSuspender interface {
	// Suspend discards all results of health checks until Resume.
	Suspend()
	// Resume counts the results of health checks from now on.
	Resume()
}

// Config configures a Worker.
type Config struct {
	// Logger receives a line when a stream ends; nil discards them.
	Logger *slog.Logger
}

// Worker reads the event stream of one engine.
type Worker struct {
	deps Dependencies
	log  *slog.Logger
}

// New returns a worker, which does nothing before Run.
func New(deps Dependencies, cfg Config) *Worker {
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	return &Worker{deps: deps, log: cfg.Logger}
}

// Run reads events until ctx ends, and then returns nil. It reopens a stream that ends,
// with backoff while that fails.
func (w *Worker) Run(ctx context.Context) error {
	delays := backoff.NewExponentialBackOff()
	delays.InitialInterval, delays.MaxInterval = 100*time.Millisecond, 10*time.Second
	for ctx.Err() == nil {
		err := w.readStream(ctx, delays.Reset)
		if w.deps.Health != nil {
			w.deps.Health.Suspend()
		}
		if ctx.Err() == nil {
			w.log.Warn("event stream of the engine ended; reconnecting", "error", err)
		}
		_ = wait.For(ctx, delays.NextBackOff()) // the loop checks ctx
	}
	return nil
}

// readStream reads one stream until it ends. It calls onOpen when the stream is open.
func (w *Worker) readStream(ctx context.Context, onOpen func()) error {
	for event, err := range w.deps.Engine.Events(ctx) {
		if err != nil {
			return err
		}
		switch event.Type {
		case container.EventStreamOpened:
			onOpen()
			if w.deps.Health != nil {
				w.deps.Health.Resume()
			}
			if event.EventsMissed {
				w.deps.Queue.TriggerFullReconcile()
			}
		case container.EventRemoved:
			w.deps.Queue.EnqueueRemoved(event.GameID, event.ContainerID)
		default:
			w.deps.Queue.Enqueue(event.GameID)
		}
	}
	return ctx.Err()
}
