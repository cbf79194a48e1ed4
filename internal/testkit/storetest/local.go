package storetest

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
)

// localPatience is how long a store's own copy may take to come to a write.
const localPatience = 10 * time.Second

func localBehaviours() []behaviour {
	return []behaviour{
		{name: "GetLocal comes to every acknowledged write", test: localCatchesUp},
		{name: "GetLocal never goes back and never tells of its future", test: localOnlyForward},
		{name: "GetLocal of a game without a record is ErrNotFound as of a revision", test: localMissing},
		{name: "a local list comes to every acknowledged write", test: localListCatchesUp},
	}
}

func localCatchesUp(t *testing.T, _ Harness, s ports.Store) {
	for _, write := range []func() runtime.VersionedRecord{
		func() runtime.VersionedRecord { return put(t, s, running("a")) },
		func() runtime.VersionedRecord { return transition(t, s, stop("a", 5)) },
	} {
		written := write()
		require.Eventually(t, func() bool {
			found, asOf, err := s.GetLocal(t.Context(), "a")
			return err == nil && asOf >= written.Revision && found.Revision == written.Revision && found.Record.Equal(written.Record)
		}, localPatience, time.Millisecond, "the write at revision %d", written.Revision)
	}
}

func localOnlyForward(t *testing.T, _ Harness, s ports.Store) {
	last := int64(0)
	for range 50 {
		written := put(t, s, running("a"))
		found, asOf, err := s.GetLocal(t.Context(), "a")
		if err != nil {
			require.ErrorIs(t, err, runtime.ErrNotFound)
		}
		require.GreaterOrEqual(t, asOf, last, "a local read went back")
		require.LessOrEqual(t, found.Revision, asOf, "a record from the future of its read")
		require.LessOrEqual(t, found.Revision, written.Revision)
		last = asOf
	}
}

func localMissing(t *testing.T, _ Harness, s ports.Store) {
	found, asOf, err := s.GetLocal(t.Context(), "missing")
	require.ErrorIs(t, err, runtime.ErrNotFound)
	require.Zero(t, found)
	require.Positive(t, asOf)
	_, _, err = s.GetLocal(t.Context(), "")
	require.ErrorIs(t, err, runtime.ErrInvalid)
}

func localListCatchesUp(t *testing.T, _ Harness, s ports.Store) {
	written := put(t, s, running("a"))
	require.Eventually(t, func() bool {
		page, err := s.ListPage(t.Context(), ports.PageQuery{Limit: 10, Local: true})
		return err == nil && page.Revision >= written.Revision && len(page.Records) == 1 && page.Records[0].Revision == written.Revision
	}, localPatience, time.Millisecond)
}
