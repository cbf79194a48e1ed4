package recordcache

import (
	"maps"
	"time"

	"galaxy/rtmanager/internal/domain/runtime"
)

// maxSlab is how many elements a cloneSlab allocates at a time at most. A slab lives as long as any of
// the clones that use it.
const maxSlab = 1024

// cloneSlab clones records so that the clones share memory with each other, and none with the
// originals. Otherwise a list would mostly be small allocations. Strings are immutable and shared.
type cloneSlab struct {
	times      []time.Time
	operations []runtime.OperationInProgress
	ports      []runtime.Port
}

// clone makes the target a clone of the record. rest is how many records are still to be cloned, about,
// including this one.
func (s *cloneSlab) clone(target, record *runtime.RuntimeRecord, rest int) {
	*target = *record
	for _, at := range [...]**time.Time{&target.StartedAt, &target.StoppedAt, &target.RemovedAt, &target.HealthSince, &target.NodeLostAt} {
		if *at != nil {
			*at = copyInto(&s.times, **at, rest)
		}
	}
	if record.Operation != nil {
		target.Operation = copyInto(&s.operations, *record.Operation, rest)
	}
	if record.Labels != nil {
		target.Labels = maps.Clone(record.Labels)
	}
	if n := len(record.Ports); n > 0 {
		if len(s.ports) < n {
			s.ports = make([]runtime.Port, max(n, min(n*rest, maxSlab)))
		}
		target.Ports, s.ports = s.ports[:n:n], s.ports[n:]
		copy(target.Ports, record.Ports)
	} else if record.Ports != nil {
		target.Ports = []runtime.Port{}
	}
}

// copyInto returns a copy of the value in the slab.
func copyInto[T any](slab *[]T, value T, rest int) *T {
	if len(*slab) == 0 {
		*slab = make([]T, max(1, min(rest, maxSlab)))
	}
	placed := &(*slab)[0]
	*slab, *placed = (*slab)[1:], value
	return placed
}
