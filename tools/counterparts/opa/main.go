// Command opa-bench decides requests by a Rego module in this process, over and over, and says how long one decision takes.
//
// It reads one JSON object from standard input and writes one to standard output, so that nothing but deciding is timed.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/rego"
)

type question struct {
	Module string `json:"module"`
	// The rule that says whether a request is allowed, such as data.bench.allowed.
	Query  string `json:"query"`
	Inputs []any  `json:"inputs"`
	// How long to measure.
	Milliseconds int `json:"milliseconds"`
}

type answer struct {
	CompileMs float64 `json:"compileMs"`
	// One for each input.
	Allowed []bool `json:"allowed"`
	// The median over rounds.
	NsPerDecision float64 `json:"nsPerDecision"`
}

func main() {
	if err := run(context.Background()); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	var asked question
	if err := json.NewDecoder(os.Stdin).Decode(&asked); err != nil {
		return fmt.Errorf("question: %w", err)
	}
	start := time.Now()
	prepared, err := rego.New(rego.Query(asked.Query), rego.Module("bench.rego", asked.Module)).PrepareForEval(ctx)
	if err != nil {
		return fmt.Errorf("module: %w", err)
	}
	given := answer{CompileMs: float64(time.Since(start).Microseconds()) / 1000}
	inputs, err := parseInputs(asked.Inputs)
	if err != nil {
		return err
	}
	for _, input := range inputs {
		allowed, err := decide(ctx, prepared, input)
		if err != nil {
			return err
		}
		given.Allowed = append(given.Allowed, allowed)
	}
	given.NsPerDecision, err = measure(ctx, prepared, inputs, time.Duration(asked.Milliseconds)*time.Millisecond)
	if err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(given)
}

func parseInputs(raw []any) ([]ast.Value, error) {
	inputs := make([]ast.Value, 0, len(raw))
	for _, one := range raw {
		input, err := ast.InterfaceToValue(one)
		if err != nil {
			return nil, fmt.Errorf("input: %w", err)
		}
		inputs = append(inputs, input)
	}
	return inputs, nil
}

func decide(ctx context.Context, prepared rego.PreparedEvalQuery, input ast.Value) (bool, error) {
	results, err := prepared.Eval(ctx, rego.EvalParsedInput(input))
	if err != nil {
		return false, fmt.Errorf("decision: %w", err)
	}
	return results.Allowed(), nil
}

// measure takes the median over rounds of a few milliseconds, so that what else the machine does counts for little.
func measure(ctx context.Context, prepared rego.PreparedEvalQuery, inputs []ast.Value, limit time.Duration) (float64, error) {
	var rounds []float64
	end := time.Now().Add(limit)
	for turn := 0; len(rounds) == 0 || time.Now().Before(end); {
		start, count := time.Now(), 0
		for count == 0 || time.Since(start) < 5*time.Millisecond {
			if _, err := decide(ctx, prepared, inputs[turn%len(inputs)]); err != nil {
				return 0, err
			}
			turn++
			count++
		}
		rounds = append(rounds, float64(time.Since(start).Nanoseconds())/float64(count))
	}
	slices.Sort(rounds)
	return rounds[len(rounds)/2], nil
}
