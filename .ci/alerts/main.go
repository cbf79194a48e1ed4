// Command alerts checks a file of Prometheus alerting rules: syntax, PromQL, and that
// the daemon exposes each metric with the labels that the rules select by.
//
// It is compiled in a module of its own, so that Prometheus is no dependency of the
// project.
package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/rulefmt"
	"github.com/prometheus/prometheus/promql/parser"
)

func main() {
	if len(os.Args) != 4 {
		fmt.Fprintln(os.Stderr, "usage: alerts RULES METRICS_URL SOURCE_DIRECTORY")
		os.Exit(2)
	}
	if err := run(os.Args[1], os.Args[2], os.Args[3]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(rules, url, sources string) error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	p := parser.NewParser(parser.Options{})
	groups, errs := rulefmt.ParseFile(rules, false, model.LegacyValidation, p, slog.Default())
	if len(errs) > 0 {
		return errors.Join(errs...)
	}
	c := checker{parser: p, sources: sources}
	var err error
	if c.families, err = scrape(ctx, url); err != nil {
		return err
	}

	count := 0
	for _, group := range groups.Groups {
		for _, rule := range group.Rules {
			count++
			if err := c.check(rule); err != nil {
				errs = append(errs, fmt.Errorf("%s: alert %s: %w", rules, rule.Alert, err))
			}
		}
	}
	if len(errs) > 0 {
		return errors.Join(errs...)
	}
	fmt.Printf("%s: %d alerts, every metric exists\n", rules, count)
	return nil
}

// scrape returns the metric families of the URL by name.
func scrape(ctx context.Context, url string) (map[string]*dto.MetricFamily, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, err
	}
	defer func() { _ = response.Body.Close() }()
	text, err := io.ReadAll(response.Body)
	switch {
	case err != nil:
		return nil, fmt.Errorf("read %s: %w", url, err)
	case response.StatusCode != http.StatusOK:
		return nil, fmt.Errorf("%s: status %s", url, response.Status)
	}
	metrics := expfmt.NewTextParser(model.LegacyValidation)
	return metrics.TextToMetricFamilies(bytes.NewReader(text))
}

// checker compares rules with the metrics of a running daemon.
type checker struct {
	parser   parser.Parser
	families map[string]*dto.MetricFamily
	sources  string
}

// check returns an error for each metric or label of the rule that does not exist.
func (c checker) check(rule rulefmt.Rule) error {
	if rule.Annotations["summary"] == "" || rule.Annotations["description"] == "" || rule.Labels["severity"] == "" {
		return errors.New("summary, description and severity are required")
	}
	expr, err := c.parser.ParseExpr(rule.Expr)
	if err != nil {
		return err
	}
	var errs []error
	parser.Inspect(expr, func(node parser.Node, _ []parser.Node) error {
		if selector, ok := node.(*parser.VectorSelector); ok {
			errs = append(errs, c.checkSelector(selector))
		}
		return nil
	})
	return errors.Join(errs...)
}

// prometheusLabels are the labels that Prometheus adds to every series.
var prometheusLabels = []string{model.MetricNameLabel, "job", "instance"}

// checkSelector checks the metric name and the label names of a selector.
func (c checker) checkSelector(selector *parser.VectorSelector) error {
	if selector.Name == "up" {
		return nil // Prometheus adds this metric
	}
	family := c.family(selector.Name)
	if family == nil {
		return c.checkSources(selector.Name)
	}
	for _, matcher := range selector.LabelMatchers {
		if !slices.Contains(prometheusLabels, matcher.Name) && !hasLabel(family, matcher.Name) {
			return fmt.Errorf("metric %s has no label %s", selector.Name, matcher.Name)
		}
	}
	return nil
}

// family returns the family of a series name, or nil. A histogram has several series.
func (c checker) family(series string) *dto.MetricFamily {
	for _, suffix := range []string{"", "_bucket", "_count", "_sum"} {
		if family, ok := c.families[strings.TrimSuffix(series, suffix)]; ok && (suffix == "" || strings.HasSuffix(series, suffix)) {
			return family
		}
	}
	return nil
}

func hasLabel(family *dto.MetricFamily, name string) bool {
	if name == "le" && family.GetType() == dto.MetricType_HISTOGRAM {
		return true
	}
	for _, label := range family.GetMetric()[0].GetLabel() {
		if label.GetName() == name {
			return true
		}
	}
	return false
}

// checkSources returns an error if no Go file contains the name as a string. A metric
// with labels is not exposed before its first observation.
func (c checker) checkSources(name string) error {
	found := errors.New("found")
	err := filepath.WalkDir(c.sources, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		text, err := os.ReadFile(path)
		if err == nil && bytes.Contains(text, []byte(`"`+name+`"`)) {
			return found
		}
		return err
	})
	if err == nil {
		return fmt.Errorf("metric %s does not exist", name)
	}
	if errors.Is(err, found) {
		return nil
	}
	return err
}
