package httpserver

import (
	"context"
	"errors"
	"net/http"

	"golang.org/x/sync/errgroup"

	"galaxy/rtmanager/internal/adapters/httpserver/internal/callers"
	"galaxy/rtmanager/internal/adapters/httpserver/internal/problem"
	"galaxy/rtmanager/internal/adapters/httpserver/internal/request"
	"galaxy/rtmanager/internal/api"
	"galaxy/rtmanager/internal/domain/access"
	"galaxy/rtmanager/internal/domain/operation"
	"galaxy/rtmanager/internal/domain/runtime"
)

type specsInput struct {
	Body request.Body[api.SpecsRequest] `body:"required"`
}

// maxRecordReads bounds how many records one request reads at a time. The reads share requests
// for the revision of etcd.
const maxRecordReads = 64

// getSpecs handles POST /v1/specs. It changes nothing; the method is POST because the games are a
// body.
func (s *Server) getSpecs(w http.ResponseWriter, r *http.Request, in *specsInput) error {
	games := in.Body.Value.GameIDs
	if len(games) == 0 || len(games) > api.MaxSpecGames {
		return problem.Invalid(api.Fault{Location: "body.game_ids", Message: "must be 1 to 200 games"})
	}
	for _, gameID := range games {
		if err := runtime.ValidateGameID(gameID); err != nil {
			return problem.From(err, locateInBody)
		}
	}
	intents, err := s.cfg.Intents.GetIntents(r.Context(), games)
	if err != nil {
		return err
	}
	records, err := s.readRecords(r.Context(), games)
	if err != nil {
		return err
	}
	body := api.Specs{Items: make([]api.GameSpec, len(games))}
	for i, gameID := range games {
		intent := intents[i].Intent
		intent.GameID = gameID
		if !canReadSpec(callers.Of(r.Context()).Visible(), intent, records[i]) {
			body.Items[i] = api.GameSpec{GameID: gameID}
			continue
		}
		body.Items[i] = api.GameSpecFrom(intent, records[i])
	}
	return writeJSON(w, http.StatusOK, body)
}

// readRecords returns the record of each game, nil for a game without one.
func (s *Server) readRecords(ctx context.Context, games []string) ([]*runtime.VersionedRecord, error) {
	records := make([]*runtime.VersionedRecord, len(games))
	reads, ctx := errgroup.WithContext(ctx)
	reads.SetLimit(maxRecordReads)
	for i, gameID := range games {
		reads.Go(func() error {
			found, err := s.store.GetVersioned(ctx, gameID)
			if errors.Is(err, runtime.ErrNotFound) {
				return nil
			}
			records[i] = &found
			return err
		})
	}
	return records, reads.Wait()
}

// canReadSpec reports whether the caller may read the game in the region of its record, or without
// one in the region of the operation in progress.
func canReadSpec(visible *access.Visibility, intent operation.Intent, record *runtime.VersionedRecord) bool {
	switch {
	case record != nil:
		return visible.ContainsLabeled(record.Record.Region, intent.GameID, record.Record.Labels)
	case intent.Current != nil:
		return visible.ContainsLabeled(intent.Current.Region, intent.GameID, intent.Labels)
	default:
		return visible.ContainsLabeled("", intent.GameID, intent.Labels)
	}
}
