package output

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"galaxy/rtmanager/internal/api"
	"galaxy/rtmanager/internal/cli/internal/render"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
)

// containerLimit is the number of characters to which a terminal's table shortens container ids.
const containerLimit = 13

// Records prints records that a command has written. In the default format it prints the
// summary of each, on one line.
func (p *Printer) Records(records []runtime.VersionedRecord, summary func(runtime.VersionedRecord) string) error {
	if encoder := p.newEncoder(p.Out); encoder != nil {
		for _, v := range records {
			if err := encoder.Encode(versioned{v.Record, v.Revision}); err != nil {
				return err
			}
		}
		return nil
	}
	if p.Format != "" {
		return p.printTable(p.recordTable(records))
	}
	for _, v := range records {
		if _, err := fmt.Fprintln(p.Out, summary(v)); err != nil {
			return err
		}
	}
	return nil
}

// versioned is a record with the revision of its last change, in one JSON object.
type versioned struct {
	runtime.RuntimeRecord
	Revision int64 `json:"revision"`
}

// list is a page of the API whose items have their revisions.
type list struct {
	Revision      int64         `json:"revision"`
	Items         []versioned   `json:"items"`
	ItemRevisions []int64       `json:"item_revisions"`
	Continue      string        `json:"continue,omitempty"`
	Corrupt       []api.Corrupt `json:"corrupt,omitempty"`
	Regions       []api.Region  `json:"regions,omitempty"`
}

func listFrom(page ports.Page) list {
	body := api.PageFrom(page)
	result := list{
		Revision: body.Revision, Items: make([]versioned, len(page.Records)), ItemRevisions: body.ItemRevisions,
		Continue: page.Next, Corrupt: body.Corrupt, Regions: body.Regions,
	}
	for i, v := range page.Records {
		result.Items[i] = versioned{v.Record, v.Revision}
	}
	return result
}

// Record prints one record, in the default format with one line per field.
func (p *Printer) Record(v runtime.VersionedRecord) error {
	if p.Format == "" {
		return p.fieldTable(v).Write(p.Out, false, p.statusColor())
	}
	return p.Records([]runtime.VersionedRecord{v}, nil)
}

// Page prints a list of records.
func (p *Printer) Page(page ports.Page) error {
	if done, err := p.Encode(listFrom(page)); done {
		return err
	}
	if len(page.Records) == 0 && len(page.Corrupt) == 0 {
		fmt.Fprintf(p.Err, "rtmanager: list: no matching records at revision %d\n", page.Revision)
		return nil
	}
	return p.printTable(p.recordTable(page.Records))
}

func (p *Printer) recordTable(records []runtime.VersionedRecord) *render.Table {
	t := &render.Table{Header: []string{"GAME", "STATUS", "HEALTH", "REGION", "NODE", "CONTAINER", "IMAGE", "AGE"}}
	if p.isWide() {
		t.Header = append(t.Header, "DESIRED", "RESTARTS", "OPERATION", "CHANGED", "REVISION", "GENERATION", "ENDPOINT", "PORTS", "NETWORK", "STATE-PATH")
	}
	for _, key := range p.LabelColumns {
		t.Header = append(t.Header, strings.ToUpper(key[strings.LastIndex(key, "/")+1:]))
	}
	if p.HasLabels {
		t.Header = append(t.Header, "LABELS")
	}
	for _, v := range records {
		r := v.Record
		row := []string{
			render.Value(r.GameID), StatusText(r), render.Cell(string(r.Health)), render.Cell(r.Region), render.Cell(r.Node),
			p.shorten(render.Cell(r.CurrentContainerID), containerLimit), render.Cell(r.CurrentImageRef),
			p.age(r.CreatedAt),
		}
		if p.isWide() {
			row = append(row, render.Cell(string(r.DesiredStatus)), strconv.FormatInt(r.Restarts, 10), render.Cell(operationText(r)), p.age(r.LastOpAt), strconv.FormatInt(v.Revision, 10), strconv.FormatInt(r.Generation, 10),
				render.Cell(r.EngineEndpoint), render.Cell(portsText(r.Ports)), render.Cell(r.DockerNetwork), render.Cell(r.StatePath))
		}
		for _, key := range p.LabelColumns {
			row = append(row, render.Cell(r.Labels[key]))
		}
		if p.HasLabels {
			row = append(row, render.Labels(r.Labels))
		}
		t.Add(row...)
	}
	return t
}

// StatusText returns the status of the record with what it does not state by itself: that the
// node of the game is lost, or that the game is in a crash loop.
func StatusText(r runtime.RuntimeRecord) string {
	status := render.Cell(string(r.Status))
	switch {
	case r.NodeLostAt != nil:
		return status + " (node lost)"
	case r.CrashLoop:
		return status + " (crash loop)"
	default:
		return status
	}
}

// operationText returns the kind of the operation in progress, empty for none.
func operationText(r runtime.RuntimeRecord) string {
	if r.Operation == nil {
		return ""
	}
	return r.Operation.Kind
}

func yesOrNo(condition bool) string {
	if condition {
		return "yes"
	}
	return "no"
}

// fieldTable has one row for each field of a record that is set.
func (p *Printer) fieldTable(v runtime.VersionedRecord) *render.Table {
	r := v.Record
	t := &render.Table{Header: []string{"", ""}}
	text := func(name, value string) {
		if value != "" {
			t.Add(name+":", render.Value(value))
		}
	}
	at := func(name string, when *time.Time) {
		if when != nil {
			t.Add(name+":", fmt.Sprintf("%s (%s ago)", when.UTC().Format(time.RFC3339Nano), p.age(*when)))
		}
	}
	text("Game", r.GameID)
	text("Status", StatusText(r))
	text("Desired", string(r.DesiredStatus))
	if r.HealthSince != nil {
		t.Add("Health:", fmt.Sprintf("%s (for %s)", render.Value(string(r.Health)), p.age(*r.HealthSince)))
	}
	if r.Status == runtime.StatusRunning && r.Health != "" {
		t.Add("Ready:", yesOrNo(r.IsReady()))
	}
	if r.Restarts > 0 {
		t.Add("Restarts:", fmt.Sprintf("%d within the window of the crash policy", r.Restarts))
	}
	text("Operation", operationText(r))
	at("Node lost", r.NodeLostAt)
	t.Add("Revision:", strconv.FormatInt(v.Revision, 10))
	text("Region", r.Region)
	text("Node", r.Node)
	text("Container", r.CurrentContainerID)
	text("Image", r.CurrentImageRef)
	if len(r.Labels) > 0 {
		t.Add("Labels:", render.Labels(r.Labels))
	}
	if r.Metadata != "" {
		t.Add("Metadata:", render.Printable(render.Truncate(string(r.Metadata), maxMetadataText)))
	}
	t.Add("Generation:", strconv.FormatInt(r.Generation, 10))
	text("Endpoint", r.EngineEndpoint)
	for _, p := range r.Ports {
		text("Port "+p.Name, portAddress(p))
	}
	text("State path", r.StatePath)
	text("Network", r.DockerNetwork)
	at("Created", &r.CreatedAt)
	at("Started", r.StartedAt)
	at("Stopped", r.StoppedAt)
	at("Removed", r.RemovedAt)
	at("Last op", &r.LastOpAt)
	return t
}

// maxMetadataText bounds the characters of metadata that a text shows. The command metadata and JSON
// have all of it.
const maxMetadataText = 200

// portsText returns the addresses of players, as NAME=HOST:PORT/PROTOCOL separated by commas.
func portsText(ports []runtime.Port) string {
	texts := make([]string, len(ports))
	for i, p := range ports {
		texts[i] = p.Name + "=" + portAddress(p)
	}
	return strings.Join(texts, ",")
}

// portAddress returns HOST:PORT/PROTOCOL, with brackets around an IPv6 address.
func portAddress(p runtime.Port) string { return p.Address() + "/" + string(p.Protocol) }

// OnNode returns " on REGION/NODE" for a record with a node, and "" otherwise.
func OnNode(record runtime.RuntimeRecord) string {
	if record.Node == "" {
		return ""
	}
	return " on " + render.Value(record.Region+"/"+record.Node)
}
