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

// A full store refuses writes in words and goes on serving what it has.
func TestFullStoreIsReadOnly(t *testing.T) {
	t.Parallel()
	cfg := settings(t)
	cfg.EtcdQuotaBytes = 1 << 20
	d := start(t, cfg)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
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
	require.Len(t, records, n-1, "what was acknowledged is there, and what was refused is not")
	require.Equal(t, http.StatusOK, statusOf(t, d.API+"/readyz"), "reads are still served")
	info, err := d.client.Info(ctx)
	require.NoError(t, err)
	require.Contains(t, strings.Join(info.Alarms, " "), "NOSPACE")
	require.NoError(t, d.stop())

	again := start(t, cfg)
	got, err := again.client.Get(ctx, "0")
	require.NoError(t, err, "a full store can be started again")
	require.Equal(t, runtime.StatusRunning, got.Status)
}
