package rfm

import (
	"math/big"
	"sort"
	"strconv"
	"strings"
	"time"

	"github.com/google/go-cmp/cmp"
)

// twinRow is one customer of the twin: the same definitions in the plainest words, with maps and rationals.
type twinRow struct {
	ID                                string
	Recency, Frequency, Tenure        int64
	First, Last                       int64
	Money, Items, Basket              float64
	RScore, FScore, MScore            int64
	invoices                          map[string]bool
	money, items                      *big.Rat
	cancelledReturns, negativeReturns int64
}

// twinLine is a line that passed the first four tests.
type twinLine struct {
	customer, invoice string
	at                time.Time
	quantity, price   *big.Rat
	back, cancelled   bool
}

// twinLines puts cells customer, invoice, ISO date, quantity, price through the first four tests.
func twinLines(cells [][]string, net bool, d *Dropped) (kept []twinLine) {
	for _, c := range cells {
		customer := strings.TrimSpace(c[0])
		switch strings.ToLower(customer) {
		case "", "na", "nan", "null":
			d.MissingCustomer++
			continue
		}
		cancelled := strings.HasPrefix(c[1], "C")
		if cancelled && !net {
			d.Cancelled++
			continue
		}
		q, _ := new(big.Rat).SetString(c[3])
		if q.Sign() == 0 || q.Sign() < 0 && !net {
			d.NonpositiveQuantity++
			continue
		}
		p, _ := new(big.Rat).SetString(c[4])
		if p.Sign() <= 0 {
			d.NonpositivePrice++
			continue
		}
		at, err := time.Parse("2006-01-02 15:04:05", c[2])
		if err != nil {
			panic(err)
		}
		kept = append(kept, twinLine{customer, c[1], at, q.Abs(q), p, cancelled || strings.HasPrefix(c[3], "-"), cancelled})
	}
	return kept
}

// book adds a line to its customer.
func (r *twinRow) book(l twinLine) {
	value := new(big.Rat).Mul(l.quantity, l.price)
	if l.back {
		r.money.Sub(r.money, value)
		r.items.Sub(r.items, l.quantity)
		if l.cancelled {
			r.cancelledReturns++
		} else {
			r.negativeReturns++
		}
		return
	}
	r.money.Add(r.money, value)
	r.items.Add(r.items, l.quantity)
	if len(r.invoices) == 0 || l.at.UnixMicro() < r.First {
		r.First = l.at.UnixMicro()
	}
	if len(r.invoices) == 0 || l.at.UnixMicro() > r.Last {
		r.Last = l.at.UnixMicro()
	}
	r.invoices[l.invoice] = true
}

// twin computes a result.
func twin(cells [][]string, asOf string, window time.Duration, net bool) (rows []*twinRow, d Dropped, used int64, day time.Time) {
	kept := twinLines(cells, net, &d)
	if asOf != "" {
		day, _ = time.Parse(time.DateOnly, asOf)
	} else {
		for _, l := range kept {
			if next := l.at.Truncate(24 * time.Hour).Add(24 * time.Hour); next.After(day) {
				day = next
			}
		}
	}
	by := map[string]*twinRow{}
	for _, l := range kept {
		if !l.at.Before(day) || window > 0 && l.at.Before(day.Add(-window)) {
			d.OutsideWindow++
			continue
		}
		used++
		r := by[l.customer]
		if r == nil {
			r = &twinRow{ID: l.customer, invoices: map[string]bool{}, money: new(big.Rat), items: new(big.Rat)}
			by[l.customer] = r
		}
		r.book(l)
	}
	for _, r := range by {
		if len(r.invoices) == 0 {
			used -= r.cancelledReturns + r.negativeReturns
			d.Cancelled += r.cancelledReturns
			d.NonpositiveQuantity += r.negativeReturns
			continue
		}
		r.Frequency = int64(len(r.invoices))
		r.Money, _ = r.money.Float64()
		r.Items, _ = r.items.Float64()
		r.Basket = r.Money / float64(r.Frequency)
		r.Recency = int64(day.Sub(time.UnixMicro(r.Last)) / (24 * time.Hour))
		r.Tenure = int64(day.Sub(time.UnixMicro(r.First)) / (24 * time.Hour))
		r.invoices, r.money, r.items, r.cancelledReturns, r.negativeReturns = nil, nil, nil, 0, 0
		rows = append(rows, r)
	}
	twinSort(rows)
	twinScores(rows)
	return rows, d, used, day
}

// twinScores counts who is worse.
func twinScores(rows []*twinRow) {
	for _, r := range rows {
		var behind [3]int64
		for _, o := range rows {
			for i, worse := range [3]bool{o.Recency > r.Recency, o.Frequency < r.Frequency, o.Money < r.Money} {
				if worse {
					behind[i]++
				}
			}
		}
		n := int64(len(rows))
		r.RScore, r.FScore, r.MScore = 1+5*behind[0]/n, 1+5*behind[1]/n, 1+5*behind[2]/n
	}
}

// twinSort sorts as numbers if every id reads as one and prints back the same.
func twinSort(rows []*twinRow) {
	numbers := true
	for _, r := range rows {
		v, err := strconv.ParseInt(r.ID, 10, 64)
		numbers = numbers && err == nil && strconv.FormatInt(v, 10) == r.ID
	}
	sort.Slice(rows, func(i, j int) bool {
		if numbers {
			a, _ := strconv.ParseInt(rows[i].ID, 10, 64)
			b, _ := strconv.ParseInt(rows[j].ID, 10, 64)
			return a < b
		}
		return rows[i].ID < rows[j].ID
	})
}

// rowsOf turns an outcome into the twin's rows.
func rowsOf(r *outcome) []*twinRow {
	t := r.Values
	var rows []*twinRow
	for i := range int(r.Customers) {
		row := &twinRow{
			Recency: t[1].Int64[i], Frequency: t[2].Int64[i], Money: t[3].Float64[i],
			First: t[4].Micros[i], Last: t[5].Micros[i], Tenure: t[6].Int64[i],
			Items: t[7].Float64[i], Basket: t[8].Float64[i],
			RScore: t[9].Int64[i], FScore: t[10].Int64[i], MScore: t[11].Int64[i],
		}
		if r.Columns[0].Integer {
			row.ID = strconv.FormatInt(t[0].Int64[i], 10)
		} else {
			row.ID = string(t[0].Text.At(i))
		}
		rows = append(rows, row)
	}
	return rows
}

var unexported = cmp.AllowUnexported(twinRow{}, big.Rat{}, big.Int{})
