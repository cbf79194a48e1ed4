package daemon_test

import (
	"context"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/domain/runtime"
)

// A full store rejects writes with ErrReadOnly and continues to serve reads.
func TestFullStoreIsReadOnly(t *testing.T) {
	t.Parallel()
	cfg := newSettings(t)
	cfg.EtcdQuotaBytes = 1 << 20
	d := start(t, cfg)
	ctx, cancel := context.WithTimeout(t.Context(), timeout)
	defer cancel()

	full := record("0")
	full.StatePath = strings.Repeat("x", 60<<10)
	var err error
	n := 0
	for ; err == nil; n++ {
		full.GameID = strconv.Itoa(n)
		err = d.client.Upsert(ctx, full)
	}
	require.ErrorIs(t, err, runtime.ErrReadOnly)
	require.ErrorIs(t, d.client.UpdateStatus(ctx, stop("0")), runtime.ErrReadOnly)

	records, err := d.client.List(ctx)
	require.NoError(t, err)
	require.Len(t, records, n-1, "all acknowledged records exist, and the rejected one does not")
	require.Equal(t, http.StatusOK, statusOf(t, d.API+"/readyz"), "reads are served")
	info, err := d.client.Info(ctx)
	require.NoError(t, err)
	require.Contains(t, strings.Join(info.Alarms, " "), "NOSPACE")
	require.NoError(t, d.stop())

	restarted := start(t, cfg)
	got, err := restarted.client.Get(ctx, "0")
	require.NoError(t, err, "a daemon can start on a full store")
	require.Equal(t, runtime.StatusRunning, got.Status)
}
