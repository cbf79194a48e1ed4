package operation

import (
	"time"

	"galaxy/rtmanager/internal/domain/runtime"
)

// Progress is one report of an operation in progress.
type Progress struct {
	OperationID string    `json:"operation_id"`
	Kind        Kind      `json:"kind"`
	GameID      string    `json:"game_id"`
	Step        Step      `json:"step"`
	At          time.Time `json:"at"`
	// Text adds details for readers. BytesDone and BytesTotal count the bytes of an image
	// pull; 0 means unknown.
	Text       string `json:"text,omitempty"`
	BytesDone  int64  `json:"bytes_done,omitempty"`
	BytesTotal int64  `json:"bytes_total,omitempty"`
	// Record is the latest record that the operation has written, nil before the first
	// write. Revision is the revision of that write.
	Record   *runtime.RuntimeRecord `json:"record,omitempty"`
	Revision int64                  `json:"revision,omitempty"`
}
