package runtime

import (
	"errors"
	"maps"
	"slices"
	"time"
)

// RuntimeRecord is the stored state of one game's runtime. Times are in UTC; a time that
// does not apply is nil. The JSON names are part of the contract: the record has the same
// form in etcd, in the API and on the command line.
type RuntimeRecord struct {
	// GameID identifies the game; see ValidateGameID.
	GameID string `json:"game_id"`
	Status Status `json:"status"`
	// Region and Node name the node that the game is placed on; both may be empty.
	Region string `json:"region"`
	Node   string `json:"node"`
	// CurrentContainerID is the engine's id of the game's container. It is empty for a
	// removed game.
	CurrentContainerID string `json:"current_container_id"`
	CurrentImageRef    string `json:"current_image_ref"`
	// ImageDigest identifies the content of the image that the container was created from;
	// empty if unknown.
	ImageDigest string `json:"image_digest,omitempty"`
	// EngineEndpoint is the address of the game engine in the container. Operations leave it
	// empty unless the game runs.
	EngineEndpoint string `json:"engine_endpoint"`
	// StatePath is the directory on the node with the game's state.
	StatePath     string `json:"state_path"`
	DockerNetwork string `json:"docker_network"`
	// Labels are what selectors select the game by; nil if there are none.
	Labels map[string]string `json:"labels,omitempty"`
	// Metadata is an object of the user; empty if there is none.
	Metadata Metadata `json:"metadata,omitzero"`
	// Ports are the addresses at which players reach the game. Operations leave them empty
	// unless the game runs.
	Ports []Port `json:"ports,omitempty"`
	Condition
	// Ready reports that players can use the game: it runs on a node that is not lost, and its
	// health check, if any, passes. The stores derive it from the other fields; see IsReady.
	Ready bool `json:"ready,omitzero"`
	// Generation is the number of containers that this game has had.
	Generation int64     `json:"generation"`
	CreatedAt  time.Time `json:"created_at"`
	// LastOpAt is the time of the last operation on the record, by the clock of the node
	// that made it. It is for display: clocks differ, so it does not order operations.
	LastOpAt  time.Time  `json:"last_op_at"`
	StartedAt *time.Time `json:"started_at,omitempty"`
	StoppedAt *time.Time `json:"stopped_at,omitempty"`
	RemovedAt *time.Time `json:"removed_at,omitempty"`
	// RequestCPUs and RequestMemoryBytes are what the game requests of its node; 0 is nothing.
	RequestCPUs        float64 `json:"request_cpus,omitzero"`
	RequestMemoryBytes int64   `json:"request_memory_bytes,omitzero"`
}

// Validate returns nil for a record whose fields agree with its status. Otherwise it
// returns every fault, as joined *InvalidError values that name the fields by their JSON
// names. All of them errors.Is ErrInvalid.
//
// Every record requires a valid game id, a known status, created_at, last_op_at and a
// generation that is not negative. Running requires a container id and started_at, and
// forbids stopped_at and removed_at. Stopped requires a container id and stopped_at, and
// forbids removed_at. Removed requires removed_at and forbids a container id.
func (r RuntimeRecord) Validate() error {
	var faults []error
	addIf := func(violated bool, field, reason string) {
		if violated {
			faults = append(faults, &InvalidError{Field: field, Reason: reason})
		}
	}
	if err := ValidateGameID(r.GameID); err != nil {
		faults = append(faults, err)
	}
	addIf(r.CreatedAt.IsZero(), "created_at", "is required")
	addIf(r.LastOpAt.IsZero(), "last_op_at", "is required")
	addIf(r.Generation < 0, "generation", "must not be negative")
	addIf(!(r.RequestCPUs >= 0), "request_cpus", "must not be negative")
	addIf(r.RequestMemoryBytes < 0, "request_memory_bytes", "must not be negative")

	switch r.Status {
	case StatusRunning:
		addIf(r.CurrentContainerID == "", "current_container_id", "is required while running")
		addIf(r.StartedAt == nil, "started_at", "is required while running")
		addIf(r.StoppedAt != nil, "stopped_at", "must be absent while running")
		addIf(r.RemovedAt != nil, "removed_at", "must be absent while running")
	case StatusStopped:
		addIf(r.CurrentContainerID == "", "current_container_id", "is required while stopped")
		addIf(r.StoppedAt == nil, "stopped_at", "is required while stopped")
		addIf(r.RemovedAt != nil, "removed_at", "must be absent while stopped")
	case StatusRemoved:
		addIf(r.RemovedAt == nil, "removed_at", "is required once removed")
		addIf(r.CurrentContainerID != "", "current_container_id", "must be empty once removed")
	default:
		_, err := ParseStatus("status", string(r.Status))
		faults = append(faults, err)
	}
	isZero := func(at *time.Time) bool { return at != nil && at.IsZero() }
	addIf(isZero(r.StartedAt), "started_at", "must be absent or a time other than the zero time")
	addIf(isZero(r.StoppedAt), "stopped_at", "must be absent or a time other than the zero time")
	addIf(isZero(r.RemovedAt), "removed_at", "must be absent or a time other than the zero time")
	return errors.Join(faults...)
}

// Clone returns a copy that shares no memory with r.
func (r RuntimeRecord) Clone() RuntimeRecord {
	if r.StartedAt != nil || r.StoppedAt != nil || r.RemovedAt != nil {
		times := new([3]time.Time) // one allocation instead of three
		for i, at := range []**time.Time{&r.StartedAt, &r.StoppedAt, &r.RemovedAt} {
			if *at != nil {
				times[i] = **at
				*at = &times[i]
			}
		}
	}
	r.Labels, r.Ports = maps.Clone(r.Labels), slices.Clone(r.Ports)
	r.Condition = r.Condition.Clone()
	return r
}

// Equal reports whether all fields are equal. It compares times with time.Time.Equal, so
// the time zone does not matter.
func (r RuntimeRecord) Equal(other RuntimeRecord) bool {
	return r.GameID == other.GameID && r.Status == other.Status && r.Region == other.Region && r.Node == other.Node &&
		r.CurrentContainerID == other.CurrentContainerID && r.CurrentImageRef == other.CurrentImageRef && r.ImageDigest == other.ImageDigest &&
		r.EngineEndpoint == other.EngineEndpoint && r.StatePath == other.StatePath && r.DockerNetwork == other.DockerNetwork &&
		r.RequestCPUs == other.RequestCPUs && r.RequestMemoryBytes == other.RequestMemoryBytes &&
		r.Generation == other.Generation && r.Ready == other.Ready && r.Metadata.Normal() == other.Metadata.Normal() && maps.Equal(r.Labels, other.Labels) && slices.Equal(r.Ports, other.Ports) &&
		r.Condition.Equal(other.Condition) && r.CreatedAt.Equal(other.CreatedAt) && r.LastOpAt.Equal(other.LastOpAt) &&
		equalTimes(r.StartedAt, other.StartedAt) && equalTimes(r.StoppedAt, other.StoppedAt) && equalTimes(r.RemovedAt, other.RemovedAt)
}

// InUTC returns a copy of r whose times are in UTC and without a monotonic clock reading, and
// whose Ready agrees with its other fields and whose Metadata is absent if it has no member, which is the form that the stores keep.
func (r RuntimeRecord) InUTC() RuntimeRecord {
	r = r.Clone()
	r.SetUTC()
	return r
}

// SetUTC is InUTC in place. It changes the times that r points to.
func (r *RuntimeRecord) SetUTC() {
	r.CreatedAt = toUTC(r.CreatedAt)
	r.LastOpAt = toUTC(r.LastOpAt)
	if r.Operation != nil {
		r.Operation.StartedAt = toUTC(r.Operation.StartedAt)
	}
	for _, at := range [...]*time.Time{r.StartedAt, r.StoppedAt, r.RemovedAt, r.HealthSince, r.NodeLostAt} {
		if at != nil {
			*at = toUTC(*at)
		}
	}
	r.Ready, r.Metadata = r.IsReady(), r.Metadata.Normal()
}

func toUTC(at time.Time) time.Time { return at.Round(0).UTC() }

func cloneTime(at *time.Time) *time.Time {
	if at == nil {
		return nil
	}
	c := *at
	return &c
}

// equalTimes reports whether both are nil or the same time.
func equalTimes(a, b *time.Time) bool {
	return (a == nil) == (b == nil) && (a == nil || a.Equal(*b))
}

// VersionedRecord is a record with the revision of its last change.
type VersionedRecord struct {
	Record   RuntimeRecord
	Revision int64
}
