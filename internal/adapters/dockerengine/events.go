package dockerengine

import (
	"context"
	"fmt"
	"iter"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/moby/moby/api/types/events"
	"github.com/moby/moby/client"

	"galaxy/rtmanager/internal/domain/container"
)

// Events tells of containers that start, exit and are removed. What a consumer
// lists after the opening misses nothing that is not told after it. The engine
// forgets: a new stream never knows what was missed. While the stream is silent
// the engine is asked whether it is still there.
func (e *Engine) Events(ctx context.Context) iter.Seq2[container.Event, error] {
	return func(yield func(container.Event, error) bool) {
		err := e.follow(ctx, func(event container.Event) bool { return yield(event, nil) })
		switch {
		case err == nil:
		case ctx.Err() != nil:
			yield(container.Event{}, ctx.Err())
		default:
			yield(container.Event{}, fmt.Errorf("events: %w", unavailable(err)))
		}
	}
}

// follow hands on events until told to stop, which is no error.
func (e *Engine) follow(ctx context.Context, told func(container.Event) bool) error {
	since, err := e.now(ctx)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	stream, err := e.subscribe(ctx, cancel, since)
	defer func() {
		cancel()
		for range stream.Err { // closed when the client has let go
		}
	}()
	if err != nil {
		return err
	}
	if !told(container.Event{Type: container.EventStreamOpened, EventsMissed: true}) {
		return nil
	}
	alive := time.NewTicker(e.cfg.CallTimeout)
	defer alive.Stop()
	for {
		select {
		case err := <-stream.Err:
			return fmt.Errorf("the stream has ended: %w", err)
		case <-alive.C:
			if err := e.ping(ctx); err != nil {
				return err
			}
		case message := <-stream.Messages:
			event, tell, err := e.translate(message)
			if err != nil || tell && !told(event) {
				return err
			}
		}
	}
}

// now is the time by the engine's clock. The engine accepts a subscription before
// it subscribes; asked for events since then, it leaves no gap.
func (e *Engine) now(ctx context.Context) (string, error) {
	answer, err := within(ctx, e.cfg.CallTimeout, "ask for the engine's time", func(ctx context.Context) (client.SystemInfoResult, error) {
		return e.api.Info(ctx, client.InfoOptions{})
	})
	if err != nil {
		return "", unavailable(err)
	}
	at, err := time.Parse(time.RFC3339Nano, answer.Info.SystemTime)
	if err != nil {
		return "", nonsense("its time is %q", answer.Info.SystemTime)
	}
	return fmt.Sprintf("%d.%09d", at.Unix(), at.Nanosecond()), nil
}

// subscribe opens the stream, and cancels it if that takes too long.
func (e *Engine) subscribe(ctx context.Context, cancel func(), since string) (client.EventsResult, error) {
	filters := e.ours(nil).Add("type", string(events.ContainerEventType)).
		Add("event", string(events.ActionStart), string(events.ActionDie), string(events.ActionDestroy))
	var accepted atomic.Bool
	limit := time.AfterFunc(e.cfg.CallTimeout, cancel)
	stream := e.api.Events(context.WithValue(ctx, answerKey{}, &accepted), client.EventsListOptions{Since: since, Filters: filters})
	if !limit.Stop() {
		return stream, nonsense("no answer within %s", e.cfg.CallTimeout)
	}
	if !accepted.Load() {
		return stream, <-stream.Err
	}
	return stream, nil
}

// answerKey marks a request whose acceptance is to be noted: the client returns
// from Events before it says whether that failed.
type answerKey struct{}

func noteAnswer(answer *http.Response) {
	if accepted, ok := answer.Request.Context().Value(answerKey{}).(*atomic.Bool); ok {
		accepted.Store(answer.StatusCode < http.StatusBadRequest)
	}
}

// translate turns the engine's message into an event, or none if it tells of
// something else.
func (e *Engine) translate(m events.Message) (event container.Event, tell bool, err error) {
	if m.Action == "" || m.Type == "" {
		return event, false, nonsense("the stream holds a message of no kind")
	}
	kinds := map[events.Action]container.EventType{
		events.ActionStart:   container.EventStarted,
		events.ActionDie:     container.EventExited,
		events.ActionDestroy: container.EventRemoved,
	}
	kind, known := kinds[m.Action]
	labels, ok := e.owned(m.Actor.Attributes)
	if m.Type != events.ContainerEventType || !known || !ok {
		return event, false, nil
	}
	if !fullID.MatchString(m.Actor.ID) {
		return event, false, nonsense("the stream tells of a container of id %q", m.Actor.ID)
	}
	return container.Event{Type: kind, GameID: labels.GameID, ContainerID: m.Actor.ID}, true, nil
}
