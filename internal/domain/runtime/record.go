package runtime

import (
	"errors"
	"time"
)

// RuntimeRecord is what the store remembers of one game's runtime. Instants
// are UTC, and one that does not apply is nil. The JSON names are part of the
// contract: the record reads the same in etcd, over the API and on the command
// line.
type RuntimeRecord struct {
	// GameID names the game; see ValidateGameID for which ids there are.
	GameID string `json:"game_id"`
	Status Status `json:"status"`
	// Region and Node say where the game lives; both may be empty.
	Region string `json:"region"`
	Node   string `json:"node"`
	// CurrentContainerID is the engine's id of the container that this record
	// speaks of. A removed game has none.
	CurrentContainerID string `json:"current_container_id"`
	CurrentImageRef    string `json:"current_image_ref"`
	// EngineEndpoint is where the game engine in the container is reached.
	EngineEndpoint string `json:"engine_endpoint"`
	// StatePath is the directory on the node that holds the game's state.
	StatePath     string `json:"state_path"`
	DockerNetwork string `json:"docker_network"`
	// Generation counts how many containers this game has had.
	Generation int64     `json:"generation"`
	CreatedAt  time.Time `json:"created_at"`
	// LastOpAt is when the last operation on the record said it happened, by
	// the clock of whoever made it: for people to read, never to order by.
	LastOpAt  time.Time  `json:"last_op_at"`
	StartedAt *time.Time `json:"started_at,omitempty"`
	StoppedAt *time.Time `json:"stopped_at,omitempty"`
	RemovedAt *time.Time `json:"removed_at,omitempty"`
}

// Validate returns nil for a record that does not contradict its status, and
// otherwise every fault at once: *InvalidError values, joined, each naming the
// field by its JSON name. All of them errors.Is ErrInvalid.
//
// Always wanted: a valid game id, a known status, created_at, last_op_at and a
// generation that is not negative. Running and stopped want a container id;
// running wants started_at and neither stopped_at nor removed_at; stopped wants
// stopped_at and no removed_at; removed wants removed_at and no container id.
func (r RuntimeRecord) Validate() error {
	var faults []error
	fault := func(wrong bool, field, reason string) {
		if wrong {
			faults = append(faults, &InvalidError{Field: field, Reason: reason})
		}
	}
	if err := ValidateGameID(r.GameID); err != nil {
		faults = append(faults, err)
	}
	fault(r.CreatedAt.IsZero(), "created_at", "is required")
	fault(r.LastOpAt.IsZero(), "last_op_at", "is required")
	fault(r.Generation < 0, "generation", "must not be negative")

	switch r.Status {
	case StatusRunning:
		fault(r.CurrentContainerID == "", "current_container_id", "is required while running")
		fault(r.StartedAt == nil, "started_at", "is required while running")
		fault(r.StoppedAt != nil, "stopped_at", "must be absent while running")
		fault(r.RemovedAt != nil, "removed_at", "must be absent while running")
	case StatusStopped:
		fault(r.CurrentContainerID == "", "current_container_id", "is required while stopped")
		fault(r.StoppedAt == nil, "stopped_at", "is required while stopped")
		fault(r.RemovedAt != nil, "removed_at", "must be absent while stopped")
	case StatusRemoved:
		fault(r.RemovedAt == nil, "removed_at", "is required once removed")
		fault(r.CurrentContainerID != "", "current_container_id", "must be empty once removed")
	default:
		_, err := ParseStatus("status", string(r.Status))
		faults = append(faults, err)
	}
	zero := func(at *time.Time) bool { return at != nil && at.IsZero() }
	fault(zero(r.StartedAt), "started_at", "must be absent or an instant, not the zero time")
	fault(zero(r.StoppedAt), "stopped_at", "must be absent or an instant, not the zero time")
	fault(zero(r.RemovedAt), "removed_at", "must be absent or an instant, not the zero time")
	return errors.Join(faults...)
}

// Clone returns a copy that shares no memory with r.
func (r RuntimeRecord) Clone() RuntimeRecord {
	r.StartedAt = cloneInstant(r.StartedAt)
	r.StoppedAt = cloneInstant(r.StoppedAt)
	r.RemovedAt = cloneInstant(r.RemovedAt)
	return r
}

// Equal reports whether two records say the same: all fields are equal, and all
// instants the same instants.
func (r RuntimeRecord) Equal(other RuntimeRecord) bool {
	for _, pair := range [...][2]*time.Time{
		{&r.CreatedAt, &other.CreatedAt}, {&r.LastOpAt, &other.LastOpAt},
		{r.StartedAt, other.StartedAt}, {r.StoppedAt, other.StoppedAt}, {r.RemovedAt, other.RemovedAt},
	} {
		a, b := pair[0], pair[1]
		if (a == nil) != (b == nil) || a != nil && !a.Equal(*b) {
			return false
		}
	}
	return r.withoutInstants() == other.withoutInstants()
}

func (r RuntimeRecord) withoutInstants() RuntimeRecord {
	r.CreatedAt, r.LastOpAt = time.Time{}, time.Time{}
	r.StartedAt, r.StoppedAt, r.RemovedAt = nil, nil, nil
	return r
}

// InUTC returns a copy of r whose instants are in UTC and carry no monotonic
// clock reading, which is the form the stores keep.
func (r RuntimeRecord) InUTC() RuntimeRecord {
	r = r.Clone()
	r.CreatedAt = utc(r.CreatedAt)
	r.LastOpAt = utc(r.LastOpAt)
	for _, at := range []*time.Time{r.StartedAt, r.StoppedAt, r.RemovedAt} {
		if at != nil {
			*at = utc(*at)
		}
	}
	return r
}

func utc(at time.Time) time.Time { return at.Round(0).UTC() }

func cloneInstant(at *time.Time) *time.Time {
	if at == nil {
		return nil
	}
	c := *at
	return &c
}

// VersionedRecord is a record with the revision at which it was last changed.
type VersionedRecord struct {
	Record   RuntimeRecord
	Revision int64
}
