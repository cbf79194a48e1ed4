package healthprobe

import (
	"strings"
	"sync"
)

// clippedOutput keeps the start of an output. It is safe for concurrent use.
type clippedOutput struct {
	mu   sync.Mutex
	text strings.Builder
}

// Write implements io.Writer.
func (o *clippedOutput) Write(data []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.text.Write(data[:min(len(data), maxOutputBytes-min(o.text.Len(), maxOutputBytes))])
	return len(data), nil
}
