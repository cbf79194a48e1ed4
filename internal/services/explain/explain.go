// Package explain collects everything that this node can read about one game: its record,
// ledger and intent, its containers and their log, and the findings of drift.
package explain

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"galaxy/rtmanager/internal/domain/container"
	"galaxy/rtmanager/internal/domain/drift"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
)

// Records is the part of the record store that a Service uses.
type Records interface {
	ports.RuntimeReader
	ports.RuntimeLedger
}

// Dependencies are the parts that a Service uses. Records and Intents are required.
type Dependencies struct {
	Records Records
	Intents ports.IntentStore
	// Engine reads containers; nil for a daemon that runs no games.
	Engine ports.ContainerReader
	// Findings returns this node's latest findings of the game; nil for none.
	Findings func(gameID string) []drift.Finding
}

// Service explains games as one node observes them. It is safe for concurrent use.
type Service struct{ deps Dependencies }

// New returns a service.
func New(deps Dependencies) *Service { return &Service{deps} }

const (
	// logLines is the number of log lines in an explanation.
	logLines = 20
	// engineTimeout bounds the requests to the engine: an explanation is useful without
	// their results.
	engineTimeout = 5 * time.Second
)

// Explain returns the explanation of the game. Data that could not be read is missing,
// with a warning. It returns runtime.ErrNotFound for a game without record, intent and
// container, and the errors of the store.
func (s *Service) Explain(ctx context.Context, gameID string) (drift.Explanation, error) {
	if err := runtime.ValidateGameID(gameID); err != nil {
		return drift.Explanation{}, err
	}
	explanation := drift.Explanation{
		GameID: gameID, History: []runtime.LedgerEntry{}, Containers: []container.Container{},
		Logs: []string{}, Findings: []drift.Finding{}, Warnings: []string{},
	}
	if err := s.addStored(ctx, &explanation); err != nil {
		return explanation, err
	}
	s.addContainers(ctx, &explanation)
	if explanation.Record == nil && explanation.Intent == nil && len(explanation.Containers) == 0 {
		return explanation, fmt.Errorf("explain %q: %w", gameID, runtime.ErrNotFound)
	}
	if s.deps.Findings != nil {
		explanation.Findings = append(explanation.Findings, s.deps.Findings(gameID)...)
	}
	return explanation, nil
}

// addStored adds record, intent and ledger. It reads them at the same time: one round trip.
func (s *Service) addStored(ctx context.Context, explanation *drift.Explanation) error {
	var (
		intent                ports.VersionedIntent
		history               []runtime.LedgerEntry
		intentErr, historyErr error
		reading               sync.WaitGroup
	)
	reading.Go(func() { intent, intentErr = s.deps.Intents.GetIntent(ctx, explanation.GameID) })
	reading.Go(func() { history, historyErr = s.deps.Records.History(ctx, explanation.GameID) })
	found, err := s.deps.Records.GetVersioned(ctx, explanation.GameID)
	reading.Wait()
	switch {
	case err == nil:
		explanation.Record, explanation.Revision = &found.Record, found.Revision
	case !errors.Is(err, runtime.ErrNotFound):
		return err
	}
	if intentErr != nil {
		return intentErr
	}
	if intent.Revision != 0 {
		explanation.Intent = &intent.Intent
	}
	if explanation.Record != nil {
		if historyErr != nil {
			explanation.Warnings = append(explanation.Warnings, "the ledger cannot be read completely: "+historyErr.Error())
		}
		explanation.History = append(explanation.History, history...) // the readable entries
	}
	return nil
}

// addContainers adds the game's containers, and the log of the record's container.
func (s *Service) addContainers(ctx context.Context, explanation *drift.Explanation) {
	if s.deps.Engine == nil {
		return
	}
	engineCtx, cancel := context.WithTimeout(ctx, engineTimeout)
	defer cancel()
	containers, err := s.deps.Engine.List(engineCtx, explanation.GameID)
	if err != nil {
		explanation.Warnings = append(explanation.Warnings, err.Error())
		return
	}
	explanation.Containers = append(explanation.Containers, containers...)
	for _, c := range containers {
		if explanation.Record == nil || c.ID != explanation.Record.CurrentContainerID {
			continue
		}
		if lines, err := s.deps.Engine.Logs(engineCtx, c.ID, logLines); err != nil {
			explanation.Warnings = append(explanation.Warnings, "the container log cannot be read: "+err.Error())
		} else {
			explanation.Logs = append(explanation.Logs, lines...)
		}
	}
}
