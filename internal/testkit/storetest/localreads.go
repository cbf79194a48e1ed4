package storetest

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
)

// localReadTimeout is how long a store's cache may take to contain an acknowledged write.
const localReadTimeout = time.Minute

func localReadTests() []contractTest {
	return []contractTest{
		{name: "GetLocal eventually returns every acknowledged write", test: testLocalCatchesUp},
		{name: "GetLocal never returns an older revision, nor one above its own", test: testLocalReadIsMonotonic},
		{name: "GetLocal of a game without a record is ErrNotFound with a revision", test: testLocalMissing},
		{name: "a local list eventually contains every acknowledged write", test: testLocalListCatchesUp},
	}
}

func testLocalCatchesUp(t *testing.T, _ Harness, s Store) {
	for _, write := range []func() runtime.VersionedRecord{
		func() runtime.VersionedRecord { return putRecord(t, s, RunningRecord("a")) },
		func() runtime.VersionedRecord { return applyTransition(t, s, stopInput("a", 5)) },
	} {
		record := write()
		require.Eventually(t, func() bool {
			found, asOf, err := s.GetLocal(t.Context(), "a")
			return err == nil && asOf >= record.Revision && found.Revision == record.Revision && found.Record.Equal(record.Record)
		}, localReadTimeout, time.Millisecond, "the write at revision %d", record.Revision)
	}
}

func testLocalReadIsMonotonic(t *testing.T, _ Harness, s Store) {
	last := int64(0)
	for range 50 {
		record := putRecord(t, s, RunningRecord("a"))
		found, asOf, err := s.GetLocal(t.Context(), "a")
		if err != nil {
			require.ErrorIs(t, err, runtime.ErrNotFound)
		}
		require.GreaterOrEqual(t, asOf, last, "a local read returned an older revision than the one before")
		require.LessOrEqual(t, found.Revision, asOf, "the record is newer than the read's revision")
		require.LessOrEqual(t, found.Revision, record.Revision)
		last = asOf
	}
}

func testLocalMissing(t *testing.T, _ Harness, s Store) {
	found, asOf, err := s.GetLocal(t.Context(), "missing")
	require.ErrorIs(t, err, runtime.ErrNotFound)
	require.Zero(t, found)
	require.Positive(t, asOf)
	_, _, err = s.GetLocal(t.Context(), "")
	require.ErrorIs(t, err, runtime.ErrInvalid)
}

func testLocalListCatchesUp(t *testing.T, _ Harness, s Store) {
	record := putRecord(t, s, RunningRecord("a"))
	require.Eventually(t, func() bool {
		page, err := s.ListPage(t.Context(), ports.PageQuery{Limit: 10, Local: true})
		return err == nil && page.Revision >= record.Revision && len(page.Records) == 1 && page.Records[0].Revision == record.Revision
	}, localReadTimeout, time.Millisecond)
}
