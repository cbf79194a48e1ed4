package httpclient

import (
	"context"
	"iter"
	"net/url"

	"galaxy/rtmanager/internal/api"
	"galaxy/rtmanager/internal/domain/gameevent"
	"galaxy/rtmanager/internal/ports"
)

// EventOptions selects events of games.
type EventOptions struct {
	// FromRevision is the last revision that the consumer has processed; 0 starts at the current one.
	FromRevision int64
	// Resync continues the stream if the revision is compacted: an element of type api.TypeResync reports that events
	// are missing.
	Resync bool
	// Types are the types of events; none selects all.
	Types []gameevent.Type
	// GameID selects one game; an empty one selects every game.
	GameID string
	// Filter selects games by Regions, Nodes, Images, GamePrefix and Labels. Other members must be zero.
	Filter ports.RecordFilter
}

// Events streams the events of games, with bookmarks in between. It reconnects, resumes and fails as Watch does.
func (c *Client) Events(ctx context.Context, options EventOptions) iter.Seq2[api.GameEvent, error] {
	return func(yield func(api.GameEvent, error) bool) {
		watch := ports.WatchOptions{FromRevision: options.FromRevision, RecordFilter: options.Filter, GameID: options.GameID}
		if err := watch.Validate(); err != nil {
			yield(api.GameEvent{}, err)
			return
		}
		query := url.Values{}
		for _, t := range options.Types {
			query.Add("type", string(t))
		}
		if options.Resync {
			query.Set("resync", "true")
		}
		w := &watcher{
			client: c, path: "/v1/events", query: query, options: watch, position: options.FromRevision, yieldGame: yield,
			backoff: c.newBackoff(), reportedCorrupt: map[corruptReport]bool{},
		}
		if err := w.run(ctx); err != nil {
			yield(api.GameEvent{}, err)
		}
	}
}

// nextGameEvent returns the next element of a stream of events as that of a watch, and keeps it in game.
func (r *eventReader) nextGameEvent() (api.Event, error) {
	r.game = api.GameEvent{}
	if err := r.lines.next(&r.game); err != nil {
		return api.Event{}, err
	}
	event := api.Event{
		Type: r.game.Type, Revision: r.game.Revision, GameID: r.game.GameID, Last: r.game.Last, Error: r.game.Error, Final: r.game.Final,
	}
	isOfStream := event.Type == api.TypeBookmark || event.Type == api.TypeResync || event.Type == api.TypeError
	switch {
	case event.Type == "":
		return api.Event{}, missingMemberError("a type")
	case event.Type == api.TypeError && event.Error == nil:
		return api.Event{}, missingMemberError("its problem")
	case event.GameID == "" && !isOfStream:
		return api.Event{}, missingMemberError("its game")
	}
	return event, nil
}
