package operation

import (
	"time"

	"galaxy/rtmanager/internal/domain/runtime"
)

// Progress is what an operation is doing.
type Progress struct {
	OperationID string    `json:"operation_id"`
	Kind        Kind      `json:"kind"`
	GameID      string    `json:"game_id"`
	Step        Step      `json:"step"`
	At          time.Time `json:"at"`
	// Text says more, for people; Done and Total are bytes of a pull, 0 where not known.
	Text       string `json:"text,omitempty"`
	BytesDone  int64  `json:"bytes_done,omitempty"`
	BytesTotal int64  `json:"bytes_total,omitempty"`
	// Record is the record once the operation has written it.
	Record   *runtime.RuntimeRecord `json:"record,omitempty"`
	Revision int64                  `json:"revision,omitempty"`
}
