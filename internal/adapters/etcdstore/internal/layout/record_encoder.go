package layout

import (
	"strconv"
	"time"
	"unicode/utf8"

	"galaxy/rtmanager/internal/domain/runtime"
)

// canonicalWriter writes JSON as the JSON package does, several times faster: without reflection,
// and only what needs no escape. What it cannot write makes it fail, and then the JSON package
// writes the value.
type canonicalWriter struct {
	value     []byte
	isFirst   bool // no member of the current object was written
	hasFailed bool
}

// encodeCanonical encodes most records: those without an operation in progress, metadata or
// unknown members. It returns false for every other one.
func encodeCanonical(rec *StoredRecord) ([]byte, bool) {
	if rec.Operation != nil || rec.Metadata != "" || len(rec.Unknown) > 0 {
		return nil, false
	}
	w := canonicalWriter{value: make([]byte, 0, estimateRecordBytes(rec))}
	w.beginObject()
	w.text("game_id", rec.GameID)
	w.runtime(&rec.RuntimeRecord)
	w.integer("schema", recordSchema)
	w.name("last_write")
	w.beginObject()
	w.text("operation_id", rec.LastWrite.OperationID)
	w.integer("seq", rec.LastWrite.Seq)
	w.text("kind", string(rec.LastWrite.Kind))
	w.flag("has_newer_condition", rec.LastWrite.HasNewerCondition)
	w.endObject()
	w.endObject()
	return w.value, !w.hasFailed
}

// estimateRecordBytes returns about the bytes of a record's value, so that it needs one allocation.
func estimateRecordBytes(rec *StoredRecord) int {
	const namesAndTimes = 640
	bytes := namesAndTimes + 2*len(rec.GameID) + len(rec.Region) + len(rec.Node) + len(rec.CurrentContainerID) + len(rec.CurrentImageRef) +
		len(rec.ImageDigest) + len(rec.EngineEndpoint) + len(rec.StatePath) + len(rec.DockerNetwork) + len(rec.LastWrite.OperationID) + 128*len(rec.Ports)
	for key, value := range rec.Labels {
		bytes += len(key) + len(value) + 6
	}
	return bytes
}

// runtime writes the members of a record after its game id.
func (w *canonicalWriter) runtime(rec *runtime.RuntimeRecord) {
	w.text("status", string(rec.Status))
	w.text("region", rec.Region)
	w.text("node", rec.Node)
	w.text("current_container_id", rec.CurrentContainerID)
	w.text("current_image_ref", rec.CurrentImageRef)
	w.optionalText("image_digest", rec.ImageDigest)
	w.text("engine_endpoint", rec.EngineEndpoint)
	w.text("state_path", rec.StatePath)
	w.text("docker_network", rec.DockerNetwork)
	if len(rec.Labels) > 0 {
		w.name("labels")
		w.beginObject()
		for key, value := range rec.Labels {
			w.separate()
			w.quote(key)
			w.value = append(w.value, ':')
			w.quote(value)
		}
		w.endObject()
	}
	if len(rec.Ports) > 0 {
		w.ports(rec.Ports)
	}
	w.condition(&rec.Condition)
	w.flag("ready", rec.Ready)
	w.integer("generation", rec.Generation)
	w.time("created_at", rec.CreatedAt)
	w.time("last_op_at", rec.LastOpAt)
	w.optionalTime("started_at", rec.StartedAt)
	w.optionalTime("stopped_at", rec.StoppedAt)
	w.optionalTime("removed_at", rec.RemovedAt)
	w.decimal("request_cpus", rec.RequestCPUs)
	w.optionalInteger("request_memory_bytes", rec.RequestMemoryBytes)
}

func (w *canonicalWriter) ports(ports []runtime.Port) {
	w.name("ports")
	w.value = append(w.value, '[')
	for i, port := range ports {
		if i > 0 {
			w.value = append(w.value, ',')
		}
		w.beginObject()
		w.text("name", port.Name)
		w.text("protocol", string(port.Protocol))
		w.integer("container_port", int64(port.ContainerPort))
		w.text("host", port.Host)
		w.integer("port", int64(port.Port))
		w.endObject()
	}
	w.value = append(w.value, ']')
}

// condition writes the members of a condition without an operation.
func (w *canonicalWriter) condition(condition *runtime.Condition) {
	w.optionalText("desired_status", string(condition.DesiredStatus))
	w.optionalText("health", string(condition.Health))
	w.optionalTime("health_since", condition.HealthSince)
	w.optionalInteger("restarts", condition.Restarts)
	w.flag("crash_loop", condition.CrashLoop)
	w.flag("restart_pending", condition.RestartPending)
	w.optionalTime("node_lost_at", condition.NodeLostAt)
}

// encodeCanonicalEntry encodes a ledger entry, and returns false for one that needs escapes.
func encodeCanonicalEntry(e *StoredLedgerEntry) ([]byte, bool) {
	const namesAndTime = 224
	w := canonicalWriter{value: make([]byte, 0, namesAndTime+len(e.OperationID)+len(e.Actor)+len(e.Reason)+len(e.ContainerID)+len(e.Image)+len(e.ContentsHash))}
	w.beginObject()
	w.integer("seq", e.Seq)
	w.text("from", string(e.From))
	w.text("to", string(e.To))
	w.time("at", e.At)
	w.text("operation_id", e.OperationID)
	w.text("actor", e.Actor)
	w.text("reason", e.Reason)
	w.text("container_id", e.ContainerID)
	w.text("image", e.Image)
	w.optionalText("contents_hash", e.ContentsHash)
	w.endObject()
	return w.value, !w.hasFailed
}

func (w *canonicalWriter) beginObject() {
	w.value, w.isFirst = append(w.value, '{'), true
}

func (w *canonicalWriter) endObject() {
	w.value, w.isFirst = append(w.value, '}'), false
}

// separate begins a member.
func (w *canonicalWriter) separate() {
	if !w.isFirst {
		w.value = append(w.value, ',')
	}
	w.isFirst = false
}

func (w *canonicalWriter) name(name string) {
	w.separate()
	w.value = append(append(append(w.value, '"'), name...), '"', ':')
}

// quote writes a string that needs no escape.
func (w *canonicalWriter) quote(text string) {
	isASCII := true
	for i := range len(text) {
		char := text[i]
		if char < ' ' || char == '"' || char == '\\' {
			w.hasFailed = true
		}
		isASCII = isASCII && char < utf8.RuneSelf
	}
	if !isASCII && !utf8.ValidString(text) {
		w.hasFailed = true
	}
	w.value = append(append(append(w.value, '"'), text...), '"')
}

func (w *canonicalWriter) text(name, text string) {
	w.name(name)
	w.quote(text)
}

func (w *canonicalWriter) optionalText(name, text string) {
	if text != "" {
		w.text(name, text)
	}
}

func (w *canonicalWriter) integer(name string, n int64) {
	w.name(name)
	w.value = strconv.AppendInt(w.value, n, 10)
}

func (w *canonicalWriter) optionalInteger(name string, n int64) {
	if n != 0 {
		w.integer(name, n)
	}
}

func (w *canonicalWriter) flag(name string, isSet bool) {
	if isSet {
		w.name(name)
		w.value = append(w.value, "true"...)
	}
}

// decimal writes a number that is not 0. Very small and very large ones have an exponent.
func (w *canonicalWriter) decimal(name string, n float64) {
	switch {
	case n == 0:
	case n < 1e-6 || n >= 1e21:
		w.hasFailed = true
	default:
		w.name(name)
		w.value = strconv.AppendFloat(w.value, n, 'f', -1, 64)
	}
}

// time writes a time in UTC.
func (w *canonicalWriter) time(name string, at time.Time) {
	if year := at.Year(); at.Location() != time.UTC || year < 0 || year > 9999 {
		w.hasFailed = true
		return
	}
	w.name(name)
	w.value = append(w.value, '"')
	w.value = at.AppendFormat(w.value, time.RFC3339Nano)
	w.value = append(w.value, '"')
}

func (w *canonicalWriter) optionalTime(name string, at *time.Time) {
	if at != nil {
		w.time(name, *at)
	}
}
