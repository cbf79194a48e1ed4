package storetest

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
)

func contextTests() []contractTest {
	return []contractTest{
		{name: "every read ends when its context has ended", test: testReadsEndWithContext},
		{name: "every write ends when its context has ended and writes nothing", test: testWritesEndWithContext},
	}
}

// CanceledContext returns a context that is canceled.
func CanceledContext(t *testing.T) context.Context {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	return ctx
}

func testReadsEndWithContext(t *testing.T, _ Harness, s Store) {
	putRecord(t, s, RunningRecord("a"))
	ctx := CanceledContext(t)
	for method, call := range map[string]func() error{
		"Get":          func() error { _, err := s.Get(ctx, "a"); return err },
		"GetVersioned": func() error { _, err := s.GetVersioned(ctx, "a"); return err },
		"List":         func() error { _, err := s.List(ctx); return err },
		"ListByStatus": func() error { _, err := s.ListByStatus(ctx, runtime.StatusRunning); return err },
		"ListPage":     func() error { _, err := s.ListPage(ctx, ports.PageQuery{Limit: 1}); return err },
		"ScanRecords": func() error {
			for _, err := range ports.ScanRecords(ctx, s, ports.ScanQuery{}) {
				return err
			}
			return nil
		},
		"History":  func() error { _, err := s.History(ctx, "a"); return err },
		"Revision": func() error { _, err := s.Revision(ctx); return err },
		"Info":     func() error { _, err := s.Info(ctx); return err },
		"Check":    func() error { _, err := s.Check(ctx, false); return err },
	} {
		require.ErrorIs(t, call(), context.Canceled, method)
	}
}

func testWritesEndWithContext(t *testing.T, _ Harness, s Store) {
	putRecord(t, s, RunningRecord("a"))
	before := readState(t, s, "a")
	ctx := CanceledContext(t)
	for method, call := range map[string]func() error{
		"Upsert":       func() error { return s.Upsert(ctx, removedRecord("a")) },
		"Put":          func() error { _, err := s.Put(ctx, ports.PutInput{Record: removedRecord("a")}); return err },
		"UpdateStatus": func() error { return s.UpdateStatus(ctx, stopInput("a", 5)) },
		"Transition":   func() error { _, err := s.Transition(ctx, withOperationID(stopInput("a", 5), "op")); return err },
	} {
		require.ErrorIs(t, call(), context.Canceled, method)
	}
	requireUnchanged(t, s, before)
}
