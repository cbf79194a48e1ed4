package explain_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/domain/container"
	"galaxy/rtmanager/internal/domain/drift"
	"galaxy/rtmanager/internal/domain/operation"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
	"galaxy/rtmanager/internal/services/explain"
	"galaxy/rtmanager/internal/testkit/memstore"
)

// engine returns its containers, or its errors.
type engine struct {
	ports.ContainerReader
	containers       []container.Container
	listErr, logsErr error
}

func (e *engine) List(context.Context, string) ([]container.Container, error) {
	return e.containers, e.listErr
}

func (e *engine) Logs(_ context.Context, containerID string, _ int) ([]string, error) {
	return []string{"of " + containerID}, e.logsErr
}

// records is a store whose ledger or record can be corrupt.
type records struct {
	*memstore.Store
	ledgerErr, recordErr error
}

func (r *records) History(ctx context.Context, gameID string) ([]runtime.LedgerEntry, error) {
	history, err := r.Store.History(ctx, gameID)
	return history, errors.Join(err, r.ledgerErr)
}

func (r *records) GetVersioned(ctx context.Context, gameID string) (runtime.VersionedRecord, error) {
	if r.recordErr != nil {
		return runtime.VersionedRecord{}, r.recordErr
	}
	return r.Store.GetVersioned(ctx, gameID)
}

type fixture struct {
	*explain.Service
	engine  *engine
	records *records
}

// newFixture returns a service with the game g, which has a record, an intent, two
// containers and a finding.
func newFixture(t *testing.T) fixture {
	t.Helper()
	f := fixture{engine: &engine{}, records: &records{Store: memstore.New()}}
	at := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	require.NoError(t, f.records.Upsert(t.Context(), runtime.RuntimeRecord{
		GameID: "g", Status: runtime.StatusRunning, CurrentContainerID: "c2", CreatedAt: at, LastOpAt: at, StartedAt: &at,
	}))
	_, err := f.records.PutIntent(t.Context(), operation.Intent{GameID: "g", DesiredStatus: runtime.StatusRunning}, ports.IntentVersion{})
	require.NoError(t, err)
	f.engine.containers = []container.Container{{ID: "c1"}, {ID: "c2", State: container.StateRunning}}
	f.Service = explain.New(explain.Dependencies{
		Records: f.records, Intents: f.records, Engine: f.engine,
		Findings: func(gameID string) []drift.Finding {
			return []drift.Finding{{GameID: gameID, Kind: drift.KindDuplicate}}
		},
	})
	return f
}

func TestExplainKnownGame(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	got, err := f.Explain(t.Context(), "g")
	require.NoError(t, err)
	found, err := f.records.GetVersioned(t.Context(), "g")
	require.NoError(t, err)
	require.Equal(t, found.Record, *got.Record)
	require.Equal(t, found.Revision, got.Revision)
	require.Equal(t, runtime.StatusRunning, got.Intent.DesiredStatus)
	require.Len(t, got.History, 1)
	require.Equal(t, f.engine.containers, got.Containers)
	require.Equal(t, []string{"of c2"}, got.Logs, "of the record's container only")
	require.Equal(t, drift.KindDuplicate, got.Findings[0].Kind)
	require.Empty(t, got.Warnings)
}

func TestExplainUnknownGame(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.engine.containers = nil
	_, err := f.Explain(t.Context(), "unknown")
	require.ErrorIs(t, err, runtime.ErrNotFound)
	require.ErrorContains(t, err, `"unknown"`)
	_, err = f.Explain(t.Context(), " ")
	require.ErrorIs(t, err, runtime.ErrInvalid)
}

// A game with a container is known.
func TestContainerWithoutARecord(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	got, err := f.Explain(t.Context(), "orphan")
	require.NoError(t, err)
	require.Nil(t, got.Record)
	require.Nil(t, got.Intent)
	require.Len(t, got.Containers, 2)
	require.Empty(t, got.Logs)
	require.NotNil(t, got.Logs, "lists are empty, not nil")
	require.NotNil(t, got.History)
}

func TestUnavailableEngine(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.engine.listErr = container.ErrEngineUnavailable
	got, err := f.Explain(t.Context(), "g")
	require.NoError(t, err)
	require.NotNil(t, got.Record)
	require.Empty(t, got.Containers)
	require.Equal(t, []string{container.ErrEngineUnavailable.Error()}, got.Warnings)
}

func TestUnreadableLog(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.engine.logsErr = container.ErrNoContainer
	got, err := f.Explain(t.Context(), "g")
	require.NoError(t, err)
	require.Empty(t, got.Logs)
	require.Len(t, got.Warnings, 1)
	require.Contains(t, got.Warnings[0], "log cannot be read")
}

func TestCorruptLedgerShowsItsReadableEntries(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.records.ledgerErr = &runtime.CorruptError{Key: "/transitions/g/3", GameID: "g", Reason: "is truncated"}
	got, err := f.Explain(t.Context(), "g")
	require.NoError(t, err)
	require.Len(t, got.History, 1)
	require.Len(t, got.Warnings, 1)
	require.Contains(t, got.Warnings[0], "/transitions/g/3")
}

func TestErrorsOfTheStore(t *testing.T) {
	t.Parallel()
	for _, fault := range []error{runtime.ErrUnavailable, &runtime.CorruptError{Key: "/runtimes/g", GameID: "g"}} {
		f := newFixture(t)
		f.records.recordErr = fault
		_, err := f.Explain(t.Context(), "g")
		require.ErrorIs(t, err, fault)
	}
}
