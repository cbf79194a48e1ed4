// Package events turns what an engine tells into looks at games. Events are
// hints: where one may have been missed, it asks for a look at everything.
package events

import (
	"context"
	"log/slog"
	"time"

	"github.com/cenkalti/backoff/v5"

	"galaxy/rtmanager/internal/domain/container"
	"galaxy/rtmanager/internal/ports"
)

// Enqueuer looks at games.
type Enqueuer interface {
	Enqueue(gameID string)
	// EnqueueRemoved says which container of the game the engine has removed.
	EnqueueRemoved(gameID, containerID string)
	TriggerFullReconcile()
}

// Worker listens to one engine.
type Worker struct {
	engine  ports.ContainerReader
	noticer Enqueuer
	log     *slog.Logger
}

// New returns a worker that tells noticer of what the engine does.
func New(engine ports.ContainerReader, noticer Enqueuer, logger *slog.Logger) *Worker {
	return &Worker{engine: engine, noticer: noticer, log: logger}
}

// Run listens until ctx ends and then returns nil. A stream that breaks off is
// opened again, later each time while that fails.
func (w *Worker) Run(ctx context.Context) error {
	pause := backoff.NewExponentialBackOff()
	pause.InitialInterval, pause.MaxInterval = 100*time.Millisecond, 10*time.Second
	for ctx.Err() == nil {
		if err := w.listen(ctx, pause.Reset); ctx.Err() == nil {
			w.log.Warn("event stream of the engine broke off; opening it again", "error", err)
		}
		timer := time.NewTimer(pause.NextBackOff())
		select {
		case <-ctx.Done():
		case <-timer.C:
		}
		timer.Stop()
	}
	return nil
}

// listen listens to one stream until it ends; opened is called once it stands.
func (w *Worker) listen(ctx context.Context, opened func()) error {
	for event, err := range w.engine.Events(ctx) {
		if err != nil {
			return err
		}
		switch event.Type {
		case container.EventStreamOpened:
			opened()
			if event.EventsMissed {
				w.noticer.TriggerFullReconcile()
			}
		case container.EventRemoved:
			w.noticer.EnqueueRemoved(event.GameID, event.ContainerID)
		default:
			w.noticer.Enqueue(event.GameID)
		}
	}
	return ctx.Err()
}
