package cli

import (
	"fmt"
	"strconv"
	"time"

	"galaxy/rtmanager/internal/domain/runtime"
)

// Lengths to which a terminal's table shortens container ids and images.
const (
	shortContainer = 13
	shortImage     = 40
)

// recordTable lays records out, in the wide form with everything.
func (a *app) recordTable(records []runtime.VersionedRecord) *table {
	wide := a.globals.output == outputWide
	t := &table{header: []string{"GAME", "STATUS", "REGION", "NODE", "CONTAINER", "IMAGE", "AGE"}}
	if wide {
		t.header = append(t.header, "CHANGED", "REVISION", "GENERATION", "ENDPOINT", "NETWORK", "STATE-PATH")
	}
	now := a.streams.Now()
	for _, v := range records {
		r := v.Record
		row := []string{
			plain(r.GameID), cell(string(r.Status)), cell(r.Region), cell(r.Node),
			a.short(cell(r.CurrentContainerID), shortContainer), a.short(cell(r.CurrentImageRef), shortImage),
			age(now.Sub(r.CreatedAt)),
		}
		if wide {
			row = append(row, age(now.Sub(r.LastOpAt)), strconv.FormatInt(v.Revision, 10), strconv.FormatInt(r.Generation, 10),
				cell(r.EngineEndpoint), cell(r.DockerNetwork), cell(r.StatePath))
		}
		t.add(row...)
	}
	return t
}

// short clips a value for a terminal's narrow table; a pipe gets all of it.
func (a *app) short(value string, most int) string {
	if !a.globals.terminal || a.globals.output == outputWide {
		return value
	}
	return clip(value, most)
}

// printTable writes a table as the flags want it.
func (a *app) printTable(t *table) error {
	return t.write(a.streams.Out, !a.globals.noHeaders, a.globals.painter())
}

// printRecords writes records in the form asked for, and by summary, one line
// each, when none was.
func (a *app) printRecords(records []runtime.VersionedRecord, summary func(runtime.VersionedRecord) string) error {
	if encoder, ok := a.encoder(a.streams.Out); ok {
		for _, v := range records {
			if err := encoder.encode(v.Record); err != nil {
				return err
			}
		}
		return nil
	}
	if a.globals.output != "" {
		return a.printTable(a.recordTable(records))
	}
	for _, v := range records {
		if _, err := fmt.Fprintln(a.streams.Out, summary(v)); err != nil {
			return err
		}
	}
	return nil
}

// describe lays one record out for reading, a line for each thing there is.
func (a *app) describe(v runtime.VersionedRecord) *table {
	r := v.Record
	t := &table{header: []string{"", ""}}
	text := func(name, value string) {
		if value != "" {
			t.add(name+":", plain(value))
		}
	}
	at := func(name string, when *time.Time) {
		if when != nil {
			t.add(name+":", fmt.Sprintf("%s (%s ago)", when.UTC().Format(time.RFC3339Nano), age(a.streams.Now().Sub(*when))))
		}
	}
	text("Game", r.GameID)
	text("Status", string(r.Status))
	t.add("Revision:", strconv.FormatInt(v.Revision, 10))
	text("Region", r.Region)
	text("Node", r.Node)
	text("Container", r.CurrentContainerID)
	text("Image", r.CurrentImageRef)
	t.add("Generation:", strconv.FormatInt(r.Generation, 10))
	text("Endpoint", r.EngineEndpoint)
	text("State path", r.StatePath)
	text("Network", r.DockerNetwork)
	at("Created", &r.CreatedAt)
	at("Started", r.StartedAt)
	at("Stopped", r.StoppedAt)
	at("Removed", r.RemovedAt)
	at("Last op", &r.LastOpAt)
	return t
}
