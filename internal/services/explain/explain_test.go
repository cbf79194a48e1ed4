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

// engine has these containers, unless it is away.
type engine struct {
	ports.ContainerReader
	containers []container.Container
	away, mute error
}

func (e *engine) List(context.Context, string) ([]container.Container, error) {
	return e.containers, e.away
}

func (e *engine) Logs(_ context.Context, containerID string, lines int) ([]string, error) {
	return []string{"of " + containerID}, e.mute
}

// records is a store whose ledger or records can be damaged.
type records struct {
	*memstore.Store
	ledger, record error
}

func (r *records) History(ctx context.Context, gameID string) ([]runtime.LedgerEntry, error) {
	history, err := r.Store.History(ctx, gameID)
	return history, errors.Join(err, r.ledger)
}

func (r *records) GetVersioned(ctx context.Context, gameID string) (runtime.VersionedRecord, error) {
	if r.record != nil {
		return runtime.VersionedRecord{}, r.record
	}
	return r.Store.GetVersioned(ctx, gameID)
}

type bench struct {
	*explain.Service
	engine  *engine
	records *records
}

// newBench knows the game g, which has a record, an intent, two containers and a finding.
func newBench(t *testing.T) bench {
	t.Helper()
	b := bench{engine: &engine{}, records: &records{Store: memstore.New()}}
	at := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	require.NoError(t, b.records.Upsert(t.Context(), runtime.RuntimeRecord{
		GameID: "g", Status: runtime.StatusRunning, CurrentContainerID: "c2", CreatedAt: at, LastOpAt: at, StartedAt: &at,
	}))
	_, err := b.records.PutIntent(t.Context(), operation.Intent{GameID: "g", DesiredStatus: runtime.StatusRunning}, ports.IntentVersion{})
	require.NoError(t, err)
	b.engine.containers = []container.Container{{ID: "c1"}, {ID: "c2", State: container.StateRunning}}
	b.Service = &explain.Service{
		Records: b.records, Intents: b.records, Engine: b.engine,
		Findings: func(gameID string) []drift.Finding {
			return []drift.Finding{{GameID: gameID, Kind: drift.KindDuplicate}}
		},
	}
	return b
}

func TestGameThatIsKnown(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	page, err := b.Explain(t.Context(), "g")
	require.NoError(t, err)
	found, err := b.records.GetVersioned(t.Context(), "g")
	require.NoError(t, err)
	require.Equal(t, found.Record, *page.Record)
	require.Equal(t, found.Revision, page.Revision)
	require.Equal(t, runtime.StatusRunning, page.Intent.DesiredStatus)
	require.Len(t, page.History, 1)
	require.Equal(t, b.engine.containers, page.Containers)
	require.Equal(t, []string{"of c2"}, page.Logs, "of the record's container only")
	require.Equal(t, drift.KindDuplicate, page.Findings[0].Kind)
	require.Empty(t, page.Warnings)
}

func TestGameThatNobodyKnows(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.engine.containers = nil
	_, err := b.Explain(t.Context(), "nobody")
	require.ErrorIs(t, err, runtime.ErrNotFound)
	require.ErrorContains(t, err, `"nobody"`)
	_, err = b.Explain(t.Context(), " ")
	require.ErrorIs(t, err, runtime.ErrInvalid)
}

// A container is enough to be known.
func TestContainerWithoutARecord(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	page, err := b.Explain(t.Context(), "orphan")
	require.NoError(t, err)
	require.Nil(t, page.Record)
	require.Nil(t, page.Intent)
	require.Len(t, page.Containers, 2)
	require.Empty(t, page.Logs)
	require.NotNil(t, page.Logs, "lists are empty, and not missing")
	require.NotNil(t, page.History)
}

func TestEngineThatIsAway(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.engine.away = container.ErrEngineUnavailable
	page, err := b.Explain(t.Context(), "g")
	require.NoError(t, err)
	require.NotNil(t, page.Record)
	require.Empty(t, page.Containers)
	require.Equal(t, []string{container.ErrEngineUnavailable.Error()}, page.Warnings)
}

func TestLogThatCannotBeRead(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.engine.mute = container.ErrNoContainer
	page, err := b.Explain(t.Context(), "g")
	require.NoError(t, err)
	require.Empty(t, page.Logs)
	require.Len(t, page.Warnings, 1)
	require.Contains(t, page.Warnings[0], "log cannot be read")
}

func TestDamagedLedgerShowsWhatCanBeRead(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.records.ledger = &runtime.CorruptError{Key: "/transitions/g/3", GameID: "g", Reason: "is half of one"}
	page, err := b.Explain(t.Context(), "g")
	require.NoError(t, err)
	require.Len(t, page.History, 1)
	require.Len(t, page.Warnings, 1)
	require.Contains(t, page.Warnings[0], "/transitions/g/3")
}

func TestStoreThatDoesNotAnswer(t *testing.T) {
	t.Parallel()
	for _, fault := range []error{runtime.ErrUnavailable, &runtime.CorruptError{Key: "/runtimes/g", GameID: "g"}} {
		b := newBench(t)
		b.records.record = fault
		_, err := b.Explain(t.Context(), "g")
		require.ErrorIs(t, err, fault)
	}
}
