package traffic

import (
	"context"
	"encoding/json"
	"errors"

	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
	"galaxy/rtmanager/internal/testkit/chaos/recording"
)

// watch implements target.
func (d direct) watch(ctx context.Context, options streamOptions, report func(event recording.Event, cursor string) bool) (reason string) {
	selected := ports.WatchOptions{
		FromRevision: options.From, Resync: options.Resync, GameID: options.Game, RecordFilter: ports.FilterByStatus(runtime.Status(options.Status)),
	}
	if options.Region != "" {
		selected.Regions = []string{options.Region}
	}
	for event, err := range d.store.Watch(ctx, selected) {
		switch {
		case ctx.Err() != nil:
			return closed
		case errors.Is(err, runtime.ErrCompacted), errors.Is(err, runtime.ErrForeignRevision):
			return "410 " + err.Error()
		case err != nil && !errors.Is(err, runtime.ErrCorrupt):
			return err.Error()
		}
		if !report(recording.Event{
			Type: string(event.Type), Revision: event.Revision, Game: event.GameID, Last: event.Last, Reason: string(event.Reason),
			Before: encodeRecord(event.Before), After: encodeRecord(event.After),
		}, "") {
			return closed
		}
	}
	return closed
}

func encodeRecord(record *runtime.RuntimeRecord) json.RawMessage {
	if record == nil {
		return nil
	}
	encoded, _ := json.Marshal(record)
	return encoded
}
