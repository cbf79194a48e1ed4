package reconcile

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"galaxy/rtmanager/internal/domain/drift"
	"galaxy/rtmanager/internal/domain/operation"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
)

// isAbsentAsDesired reports whether an earlier pass found that the removed record at this
// revision is not desired to run. Most removed records stay so, and a pass must not read all
// their intents. An operation that changes the desired status changes the record too.
func (w *Worker) isAbsentAsDesired(removed ports.SharedRecord) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	revision, found := w.absentAsDesired[removed.Record.GameID]
	return found && revision == removed.Revision
}

// dropAbsentAsDesired removes the games that are removed as desired, and keeps their
// revisions.
func (w *Worker) dropAbsentAsDesired(observed map[string]*drift.Observation) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for gameID, o := range observed {
		delete(w.absentAsDesired, gameID)
		isAbsent := o.Record != nil && o.Record.Status == runtime.StatusRemoved && len(o.Containers) == 0 &&
			o.Record.Operation == nil && o.Record.NodeLostAt == nil &&
			o.Intent.Current == nil && o.Intent.DesiredStatus != runtime.StatusRunning && o.EngineError == nil
		if isAbsent {
			w.absentAsDesired[gameID] = o.RecordRevision
			delete(observed, gameID)
		}
	}
}

// recordWriter is the kind of writer of a record at a revision.
type recordWriter struct {
	revision int64
	isClient bool
}

// needsWriter reports whether the findings of the game depend on the writer of its record.
func needsWriter(o drift.Observation) bool {
	return o.Record != nil && o.Record.Status != runtime.StatusRunning && o.Intent.DesiredStatus == runtime.StatusRunning && o.Intent.Current == nil
}

// addWriter adds whether a client wrote the status of a record that does not run although
// its desired status is running. It reads the ledger once per revision of the record.
func (w *Worker) addWriter(ctx context.Context, o *drift.Observation) error {
	if !needsWriter(*o) {
		return nil
	}
	w.mu.Lock()
	writer, found := w.writers[o.GameID]
	w.mu.Unlock()
	if !found || writer.revision != o.RecordRevision {
		history, err := w.deps.Records.History(ctx, o.GameID)
		switch {
		case err == nil || len(history) > 0: // the readable entries suffice
		case errors.Is(err, runtime.ErrCorrupt):
			o.EngineError = err
			return nil
		default:
			return fmt.Errorf("read the ledger of %q: %w", o.GameID, err)
		}
		if len(history) == 0 || history[0].Revision > o.RecordRevision {
			return nil // written since the record was read; the next observation decides
		}
		writer = recordWriter{revision: o.RecordRevision, isClient: !isDaemonWrite(history[0], o.Intent)}
		w.mu.Lock()
		w.writers[o.GameID] = writer
		w.mu.Unlock()
	}
	o.SetByClient = writer.isClient
	return nil
}

// isDaemonWrite reports whether an operation or the remedy of a finding wrote the entry.
func isDaemonWrite(entry runtime.LedgerEntry, intent operation.Intent) bool {
	operationID, _, _ := strings.Cut(entry.OperationID, "/")
	return entry.Actor == "reconcile" || strings.HasPrefix(entry.OperationID, drift.OperationIDPrefix) ||
		slices.ContainsFunc(intent.Recent, func(outcome operation.Outcome) bool { return outcome.OperationID == operationID })
}

// pruneWriters removes the writers of records that are not observed.
func (w *Worker) pruneWriters(observed map[string]*drift.Observation) {
	w.mu.Lock()
	defer w.mu.Unlock()
	maps.DeleteFunc(w.writers, func(gameID string, _ recordWriter) bool { return observed[gameID] == nil })
}
