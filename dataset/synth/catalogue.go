package synth

import (
	"math"
	"strconv"
)

// article is what a till knows of one thing in the shop.
type article struct {
	code        string
	description string
	price       float64 // two decimals
}

const catalogueSize = 3_600

var (
	colours   = []string{"RED", "BLUE", "IVORY", "GREEN", "PINK", "SILVER", "VINTAGE", "STRIPED", "SPOTTED", "PAINTED", "CLEAR", "DARK"}
	materials = []string{"GLASS", "TIN", "WOODEN", "PAPER", "CERAMIC", "COTTON", "WICKER", "ENAMEL", "FELT", "BRASS"}
	things    = []string{"CANDLE HOLDER", "MUG", "PICTURE FRAME", "CAKE STAND", "GARLAND", "DOORMAT", "JAR", "LUNCH BOX", "TEA TOWEL",
		"COAT HOOK", "WALL CLOCK", "NOTEBOOK", "BUNTING", "TRAY", "CUSHION", "BIRD FEEDER", "GIFT BAG", "EGG CUP", "PENCIL CASE",
		"WATERING CAN", "STORAGE TIN", "WIND CHIME", "NAPKIN SET", "HEART DECORATION", "STAR LANTERN", "PHOTO ALBUM", "APRON",
		"BISCUIT CUTTER", "DRAWER KNOB", "LETTER RACK"}
	// 12 × 10 × 30 names are all different, since the catalogue counts through them.
)

// catalogue makes the shop's articles: prices are lognormal around 2.10, and end in 5 or 9.
func catalogue(seed uint64) []article {
	list := make([]article, catalogueSize)
	for i := range list {
		s := keyed(seed, purposeItem, uint64(i))
		code := strconv.Itoa(20_000 + 19*i)
		if s.below(4) == 0 {
			code += string(rune('A' + s.below(6)))
		}
		price := math.Floor(float64(2.1*s.lognormal(0, 0.9))*10) / 10
		end := 0.05
		if s.below(2) == 0 {
			end = 0.09
		}
		name := colours[i%12] + " " + materials[i/12%10] + " " + things[i/120]
		list[i] = article{code, name, cents(price + end)}
	}
	return list
}

// countries have the share of customers that live there.
var countries = [...]level{
	{name: "United Kingdom", share: 0.905}, {name: "Germany", share: 0.022}, {name: "France", share: 0.02},
	{name: "Ireland", share: 0.012}, {name: "Spain", share: 0.009}, {name: "Netherlands", share: 0.007}, {name: "Belgium", share: 0.006},
	{name: "Switzerland", share: 0.005}, {name: "Portugal", share: 0.005}, {name: "Norway", share: 0.005}, {name: "Australia", share: 0.004},
}
