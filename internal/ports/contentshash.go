package ports

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"

	"galaxy/rtmanager/internal/domain/runtime"
)

// ContentsHash returns a hash of what the write requests: of the record, not of
// preconditions and origin. It is empty for a write without an operation id, which no
// other write can repeat.
func (in PutInput) ContentsHash() string {
	if in.Origin.OperationID == "" {
		return ""
	}
	return contentsHash("put", in.Record.InUTC())
}

// ContentsHash returns a hash of what the write requests: of the transition without Now,
// which a client that repeats a request may set to the current time, and not of the
// origin. It is empty for a write without an operation id.
func (in TransitionInput) ContentsHash() string {
	if in.Origin.OperationID == "" {
		return ""
	}
	return contentsHash("transition", struct {
		From, To    runtime.Status
		ContainerID string
		Endpoint    *string
		Ports       []runtime.Port `json:",omitempty"` // absent from the hashes of earlier versions
	}{in.ExpectedFrom, in.To, in.ExpectedContainerID, in.Endpoint, in.Ports})
}

// contentsHash returns the first 64 bits of a hash, enough to detect a mistake.
func contentsHash(kind string, contents any) string {
	encoded, err := json.Marshal(contents)
	if err != nil {
		return "" // Validate rejects contents that cannot be encoded
	}
	sum := sha256.Sum256(append([]byte(kind+" "), encoded...))
	return hex.EncodeToString(sum[:8])
}
