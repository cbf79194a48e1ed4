package regions_test

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/testkit/regions"
)

// callTimeout bounds one call.
const callTimeout = 20 * time.Second

// callTimes are the durations of one call's repetitions.
type callTimes struct {
	region    string
	call      apiCall
	durations []time.Duration
	failure   string // the last call that failed
}

func (c *callTimes) ratio() float64 {
	return float64(slices.Min(c.durations)) / float64(c.call.least)
}

// roundTrips returns how many times least the fastest call took, rounded down.
func (c *callTimes) roundTrips() int {
	return int(slices.Min(c.durations) / c.call.least)
}

// String returns a row of a table.
func (c *callTimes) String() string {
	prefix := fmt.Sprintf("| %s | %s | %d ms |", c.call.name, c.region, c.call.least.Milliseconds())
	if len(c.durations) == 0 {
		return fmt.Sprintf("%s %s | – | – |\n", prefix, c.failure)
	}
	failure := ""
	if c.failure != "" {
		failure = ", and " + c.failure
	}
	slices.Sort(c.durations)
	milliseconds := func(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
	return fmt.Sprintf("%s %.1f ms%s | %.1f ms | %.2f |\n", prefix, milliseconds(c.durations[0]), failure,
		milliseconds(c.durations[len(c.durations)/2]), c.ratio())
}

// measure carries out the call once.
func (c *callTimes) measure(t *testing.T, d *regions.Daemon, index int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), callTimeout)
	defer cancel()
	var body any
	if c.call.body != nil {
		body = c.call.body(index)
	}
	var headers []string
	if c.call.keyed {
		headers = append(headers, "Idempotency-Key: "+uuid.NewString())
	}
	resp, err := d.Do(ctx, c.call.method, c.call.path, body, headers...)
	switch {
	case err == nil && resp.Status == c.call.status:
		c.durations = append(c.durations, resp.Duration)
	case !*measureOnly:
		require.NoError(t, err, "%s from %s", c.call.name, c.region)
		require.Equal(t, c.call.status, resp.Status, "%s from %s: %s", c.call.name, c.region, resp.Body)
	case err != nil:
		c.failure = err.Error()
	default:
		c.failure = fmt.Sprintf("status %d after %d ms", resp.Status, resp.Duration.Milliseconds())
	}
}
