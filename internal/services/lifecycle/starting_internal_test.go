package lifecycle

import (
	"testing"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/domain/operation"
)

// TestOfferCountsStartsWithoutReservation: the scheduler counts reservations itself, and knows when each ends.
func TestOfferCountsStartsWithoutReservation(t *testing.T) {
	t.Parallel()
	s := &Service{active: map[string]*activeOperation{}}
	for name, op := range map[string]operation.Operation{
		"starts on a reserved node":  {Kind: operation.KindStart, Reserved: true},
		"moves to a reserved node":   {Kind: operation.KindMove, Reserved: true},
		"starts without reservation": {Kind: operation.KindStart},
		"stops":                      {Kind: operation.KindStop},
	} {
		op.ID = name
		s.active[name] = newActiveOperation(name, func() {})
		s.active[name].accept(op)
	}
	require.Equal(t, 1, s.countStarting())
}
