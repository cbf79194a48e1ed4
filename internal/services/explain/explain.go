// Package explain gathers what is known of one game, for people who ask what it is
// doing and how it came to that.
package explain

import (
	"context"
	"errors"
	"fmt"
	"time"

	"galaxy/rtmanager/internal/domain/container"
	"galaxy/rtmanager/internal/domain/drift"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
)

// Records is what a Service needs of the record store.
type Records interface {
	ports.RuntimeReader
	ports.RuntimeLedger
}

// Service explains games from the sight of one node. It is safe for concurrent use.
type Service struct {
	Records Records
	Intents ports.IntentStore
	Engine  ports.ContainerReader
	// Findings are what was last found of a game here.
	Findings func(gameID string) []drift.Finding
}

const (
	// logLines is how many of the last lines a page shows.
	logLines = 20
	// engineTimeout bounds what the engine is asked; the rest of the page is worth
	// having without it.
	engineTimeout = 5 * time.Second
)

// Explain returns what is known of the game. What could not be learned is missing,
// and Trouble says so. A game of which nothing at all is known is
// runtime.ErrNotFound; the store's own errors come as they are.
func (s *Service) Explain(ctx context.Context, gameID string) (drift.Explanation, error) {
	if err := runtime.ValidateGameID(gameID); err != nil {
		return drift.Explanation{}, err
	}
	page := drift.Explanation{
		GameID: gameID, History: []runtime.LedgerEntry{}, Containers: []container.Container{},
		Logs: []string{}, Findings: []drift.Finding{}, Warnings: []string{},
	}
	found, err := s.Records.GetVersioned(ctx, gameID)
	switch {
	case err == nil:
		page.Record, page.Revision = &found.Record, found.Revision
	case !errors.Is(err, runtime.ErrNotFound):
		return page, err
	}
	intent, err := s.Intents.GetIntent(ctx, gameID)
	if err != nil {
		return page, err
	}
	if intent.Revision != 0 {
		page.Intent = &intent.Intent
	}
	if page.Record != nil {
		history, err := s.Records.History(ctx, gameID)
		if err != nil {
			page.Warnings = append(page.Warnings, "the ledger cannot be read in full: "+err.Error())
		}
		page.History = append(page.History, history...) // what can be read, beside damage
	}
	s.askEngine(ctx, &page)
	if page.Record == nil && page.Intent == nil && len(page.Containers) == 0 {
		return page, fmt.Errorf("explain %q: %w", gameID, runtime.ErrNotFound)
	}
	page.Findings = append(page.Findings, s.Findings(gameID)...)
	return page, nil
}

// askEngine adds what the engine knows of the game.
func (s *Service) askEngine(ctx context.Context, page *drift.Explanation) {
	bound, cancel := context.WithTimeout(ctx, engineTimeout)
	defer cancel()
	containers, err := s.Engine.List(bound, page.GameID)
	if err != nil {
		page.Warnings = append(page.Warnings, err.Error())
		return
	}
	page.Containers = append(page.Containers, containers...)
	for _, c := range containers {
		if page.Record == nil || c.ID != page.Record.CurrentContainerID {
			continue
		}
		if lines, err := s.Engine.Logs(bound, c.ID, logLines); err != nil {
			page.Warnings = append(page.Warnings, "the container's log cannot be read: "+err.Error())
		} else {
			page.Logs = append(page.Logs, lines...)
		}
	}
}
