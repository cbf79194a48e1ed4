package limit_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/adapters/httpserver/internal/limit"
)

// Guesses from one network are checked at a low rate. Valid credentials that are known,
// and other networks, are not affected.
func TestFailures(t *testing.T) {
	t.Parallel()
	var c clock
	f := limit.NewFailures(10, c.now)
	f.Record("10.0.0.1", "valid", true)
	guess := func(n int) (checked int) {
		for range n {
			if f.Admit("10.0.0.1", "guess") == nil {
				checked++
				f.Record("10.0.0.1", "guess", false)
			}
		}
		return checked
	}
	require.Equal(t, 50, guess(1000))
	rejection := f.Admit("10.0.0.1", "guess")
	require.Equal(t, &limit.Rejection{Reason: limit.ReasonFailures, RetryAfter: 100 * time.Millisecond}, rejection)
	require.NotNil(t, f.Admit("10.0.0.1", ""), "a request without a credential")
	require.Nil(t, f.Admit("10.0.0.1", "valid"))
	require.Nil(t, f.Admit("10.0.0.2", "guess"))
	c.advance(time.Second)
	require.Equal(t, 10, guess(1000))

	f.Record("10.0.0.1", "valid", false)
	require.NotNil(t, f.Admit("10.0.0.1", "valid"), "a revoked credential is not known any more")
}
