package report

import (
	"embed"
	"errors"
	"fmt"
	"html/template"
	"io"
	"os"
	"path/filepath"

	"galaxy/rtmanager/internal/testkit/chaos/check"
	"galaxy/rtmanager/internal/testkit/chaos/recording"
)

// The files that the package writes into a directory.
const (
	PageFile        = "report.html"  // of a run
	SummaryPageFile = "summary.html" // of many runs
	SummaryFile     = "summary.json"
)

// Input is what the page of a run is about.
type Input struct {
	Recording *recording.Recording
	Check     check.Report
	// Void is why the run proves nothing, nil if it does.
	Void error
	// Repeat is the command that makes the same run; empty for none.
	Repeat string
}

//go:embed page.html summary.html style.css
var files embed.FS

// templates are the pages. html/template escapes every text of a recording.
var templates = template.Must(template.New("").Funcs(template.FuncMap{
	"outcome": outcomeName,
	"style": func() (template.CSS, error) {
		content, err := files.ReadFile("style.css")
		return template.CSS(content), err //nolint:gosec // a file of the package
	},
}).ParseFS(files, "page.html", "summary.html"))

// Write writes the page of a run.
func Write(w io.Writer, in Input) error {
	if err := templates.ExecuteTemplate(w, "page.html", newPage(in)); err != nil {
		return fmt.Errorf("write the report: %w", err)
	}
	return nil
}

// WriteFile writes the page of a run into the directory, as PageFile.
func WriteFile(dir string, in Input) error {
	return writeFile(filepath.Join(dir, PageFile), func(w io.Writer) error { return Write(w, in) })
}

// writeFile creates the file and writes its content.
func writeFile(name string, write func(w io.Writer) error) error {
	file, err := os.Create(name) //nolint:gosec // a file of the caller
	if err != nil {
		return fmt.Errorf("write the report: %w", err)
	}
	return errors.Join(write(file), file.Close())
}
