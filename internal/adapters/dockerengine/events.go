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

// Events implements ports.Engine. A consumer that lists the containers after the first event
// misses no change: a later change yields an event. The engine keeps only its latest events,
// so every stream reports that events may have been missed before it. A ping every
// CallTimeout checks that the engine still responds.
func (e *Engine) Events(ctx context.Context) iter.Seq2[container.Event, error] {
	return func(yield func(container.Event, error) bool) {
		err := e.streamEvents(ctx, func(event container.Event) bool { return yield(event, nil) })
		switch {
		case err == nil:
		case ctx.Err() != nil:
			yield(container.Event{}, ctx.Err())
		default:
			yield(container.Event{}, fmt.Errorf("events: %w", unavailable(err)))
		}
	}
}

// streamEvents calls emit with each event until emit returns false, and then returns nil.
func (e *Engine) streamEvents(ctx context.Context, emit func(container.Event) bool) error {
	since, err := e.engineTime(ctx)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	stream, err := e.subscribe(ctx, cancel, since)
	defer func() {
		cancel()
		for range stream.Err { // the client closes it after its last use
		}
	}()
	if err != nil {
		return err
	}
	if !emit(container.Event{Type: container.EventStreamOpened, EventsMissed: true}) {
		return nil
	}
	pingTicker := time.NewTicker(e.cfg.CallTimeout)
	defer pingTicker.Stop()
	for {
		select {
		case err := <-stream.Err:
			return fmt.Errorf("the stream ended: %w", err)
		case <-pingTicker.C:
			if err := e.ping(ctx); err != nil {
				return err
			}
		case message := <-stream.Messages:
			event, isRelevant, err := e.translateMessage(message)
			if err != nil || isRelevant && !emit(event) {
				return err
			}
		}
	}
}

// engineTime returns the time of the engine's clock. The engine accepts the request for a
// stream before it subscribes to events; a stream that starts at this time has no gap.
func (e *Engine) engineTime(ctx context.Context) (string, error) {
	response, err := callWithTimeout(ctx, e.cfg.CallTimeout, "read the engine's time", func(ctx context.Context) (client.SystemInfoResult, error) {
		return e.api.Info(ctx, client.InfoOptions{})
	})
	if err != nil {
		return "", unavailable(err)
	}
	at, err := time.Parse(time.RFC3339Nano, response.Info.SystemTime)
	if err != nil {
		return "", malformedResponse("its time is %q", response.Info.SystemTime)
	}
	return fmt.Sprintf("%d.%09d", at.Unix(), at.Nanosecond()), nil
}

// subscribe opens the stream, and cancels it after CallTimeout.
func (e *Engine) subscribe(ctx context.Context, cancel func(), since string) (client.EventsResult, error) {
	filters := e.ownedFilter(nil).Add("type", string(events.ContainerEventType)).
		Add("event", string(events.ActionStart), string(events.ActionDie), string(events.ActionDestroy))
	var accepted atomic.Bool
	timeout := time.AfterFunc(e.cfg.CallTimeout, cancel)
	stream := e.api.Events(context.WithValue(ctx, acceptedKey{}, &accepted), client.EventsListOptions{Since: since, Filters: filters})
	if !timeout.Stop() {
		return stream, malformedResponse("no response within %s", e.cfg.CallTimeout)
	}
	if !accepted.Load() {
		return stream, <-stream.Err
	}
	return stream, nil
}

// acceptedKey is the context key of a flag that is set when the engine accepts a request.
// The client returns from Events before it reports whether the request failed.
type acceptedKey struct{}

// recordAcceptance sets the flag of acceptedKey unless the response is an error.
func recordAcceptance(response *http.Response) {
	if accepted, ok := response.Request.Context().Value(acceptedKey{}).(*atomic.Bool); ok {
		accepted.Store(response.StatusCode < http.StatusBadRequest)
	}
}

// translateMessage translates a message of the engine to an event. isRelevant is false if the
// message is not about an owned container.
func (e *Engine) translateMessage(m events.Message) (event container.Event, isRelevant bool, err error) {
	if m.Action == "" || m.Type == "" {
		return event, false, malformedResponse("the stream contains a message without a type")
	}
	kinds := map[events.Action]container.EventType{
		events.ActionStart:   container.EventStarted,
		events.ActionDie:     container.EventExited,
		events.ActionDestroy: container.EventRemoved,
	}
	kind, isKnown := kinds[m.Action]
	labels, ok := e.parseOwnedLabels(m.Actor.ID, m.Actor.Attributes)
	if m.Type != events.ContainerEventType || !isKnown || !ok {
		return event, false, nil
	}
	if !idPattern.MatchString(m.Actor.ID) {
		return event, false, malformedResponse("the stream contains the container id %q", m.Actor.ID)
	}
	return container.Event{Type: kind, GameID: labels.GameID, ContainerID: m.Actor.ID}, true, nil
}
