"""The goods of the demonstration marketplace: six merchants, some 240 products in Chinese and English. Plain data."""

# ruff: noqa: E501 -- a table reads better in long lines

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import product

Words = tuple[str, str]
"""Chinese, English."""

CATEGORIES: tuple[tuple[str, str | None, Words], ...] = (
    # Id, parent, name.
    ("tea", None, ("茶", "Tea")),
    ("tea-leaves", "tea", ("茶叶", "Tea leaves")),
    ("tea-ware", "tea", ("茶具", "Tea ware")),
    ("clothing", None, ("服饰", "Clothing")),
    ("clothing-tops", "clothing", ("上装", "Tops")),
    ("clothing-bags", "clothing", ("箱包", "Bags")),
    ("home", None, ("家居", "Home")),
    ("home-kitchen", "home", ("厨具", "Kitchen")),
    ("home-lighting", "home", ("灯具", "Lighting")),
    ("books", None, ("图书文具", "Books and stationery")),
    ("books-paper", "books", ("纸本", "Paper goods")),
    ("books-digital", "books", ("电子书", "E-books")),
    ("digital", None, ("数码", "Electronics")),
    ("digital-accessories", "digital", ("配件", "Accessories")),
    ("digital-vouchers", "digital", ("卡券", "Vouchers")),
    ("services", None, ("到家服务", "Home services")),
)


@dataclass(frozen=True)
class Axis:
    """One option axis of a product and its values; each value may add to the price."""

    name: str
    values: tuple[tuple[str, int], ...]


@dataclass(frozen=True)
class Line:
    """One product. ``minor`` is the price of its first SKU."""

    handle: str
    title: Words
    about: Words
    category: str
    kind: str
    icon: str
    minor: int
    axes: tuple[Axis, ...] = ()
    weight_g: int = 0
    stock: int = 60
    facts: tuple[tuple[str, str], ...] = ()

    def variants(self) -> list[tuple[tuple[str, ...], int]]:
        """Return each SKU's option values and price."""
        return [
            (tuple(value for value, _ in chosen), self.minor + sum(extra for _, extra in chosen))
            for chosen in product(*(axis.values for axis in self.axes))
        ]


@dataclass(frozen=True)
class Shop:
    """A merchant and what it sells."""

    key: str
    name: Words
    about: Words
    freight_minor: int
    free_from_minor: int | None
    commission_bps: int
    lines: tuple[Line, ...] = field(default=())


_WEIGHT = Axis("Weight", (("50 g", 0), ("100 g", 2800), ("250 g", 8600)))
_SIZE = Axis("Size", (("S", 0), ("M", 0), ("L", 0), ("XL", 1000)))
_COLOUR = Axis("Colour", (("Ink", 0), ("Oat", 0), ("Moss", 500)))
_DIAMETER = Axis("Diameter", (("18 cm", 0), ("24 cm", 3000), ("28 cm", 6000)))
_FORMAT = Axis("Ruling", (("Plain", 0), ("Grid", 0), ("Lines", 0)))
_LENGTH = Axis("Length", (("1 m", 0), ("2 m", 900)))


def _mountain_tea() -> Iterator[Line]:
    leaves = (
        ("longjing", "龙井", "Longjing", 6800),
        ("biluochun", "碧螺春", "Biluochun", 7200),
        ("maofeng", "毛峰", "Maofeng", 5200),
        ("tieguanyin", "铁观音", "Tieguanyin", 5600),
        ("dahongpao", "大红袍", "Dahongpao", 9800),
        ("puer", "普洱熟茶", "Ripe Pu'er", 4600),
        ("keemun", "祁门红茶", "Keemun black tea", 4900),
        ("jasmine", "茉莉花茶", "Jasmine tea", 3800),
    )
    harvests = (
        ("mingqian", "明前", "first-flush", 3000, "三月下旬采摘", "picked in late March"),
        ("yuqian", "雨前", "spring", 1200, "谷雨前采摘", "picked before the April rains"),
        ("qiu", "秋", "autumn", 0, "秋季采摘", "picked in autumn"),
    )
    for (key, zh, en, minor), (harvest, zh_h, en_h, extra, when_zh, when_en) in product(leaves, harvests):
        yield Line(
            handle=f"{key}-{harvest}",
            title=(f"{zh_h}{zh}", f"{en}, {en_h}"),
            about=(
                f"{when_zh}，小锅炒制，每批不超过二十公斤。",
                f"{en}, {when_en}, fired in small pans, twenty kilos a batch.",
            ),
            category="tea-leaves",
            kind="physical",
            icon="leaf",
            minor=minor + extra,
            axes=(_WEIGHT,),
            weight_g=120,
            facts=(("Storage", "cool, dry, sealed"), ("Shelf life", "18 months")),
        )
    wares = (
        ("gaiwan", "盖碗", "gaiwan", 8800),
        ("teapot", "茶壶", "teapot", 15800),
        ("cup", "品茗杯", "tasting cup", 2800),
        ("pitcher", "公道杯", "fairness pitcher", 5800),
    )
    clays = (
        ("celadon", "青瓷", "Celadon", 0),
        ("rough", "粗陶", "Stoneware", -800),
        ("white", "甜白釉", "Sweet-white", 2600),
        ("glass", "玻璃", "Glass", -1200),
    )
    for (key, zh, en, minor), (clay, zh_c, en_c, extra) in product(wares, clays):
        yield Line(
            handle=f"{clay}-{key}",
            title=(f"{zh_c}{zh}", f"{en_c} {en}"),
            about=(f"{zh_c}手工{zh}，每只略有不同。", f"A {en} made by hand; no two are quite alike."),
            category="tea-ware",
            kind="physical",
            icon="cup",
            minor=minor + extra,
            weight_g=450,
            stock=25,
            facts=(("Material", en_c), ("Dishwasher", "no")),
        )


def _thread_and_needle() -> Iterator[Line]:
    cuts = (
        ("shirt", "衬衫", "shirt", "shirt", 16900),
        ("tee", "T恤", "T-shirt", "shirt", 7900),
        ("jacket", "外套", "jacket", "shirt", 32900),
        ("jumper", "毛衣", "jumper", "shirt", 25900),
        ("vest", "马甲", "vest", "shirt", 13900),
    )
    cloths = (
        ("linen", "亚麻", "Linen", 2000),
        ("cotton", "纯棉", "Cotton", 0),
        ("hemp", "苎麻", "Ramie", 3000),
        ("wool", "羊毛", "Wool", 6000),
        ("denim", "牛仔", "Denim", 1000),
    )
    for (key, zh, en, icon, minor), (cloth, zh_c, en_c, extra) in product(cuts, cloths):
        yield Line(
            handle=f"{cloth}-{key}",
            title=(f"{zh_c}{zh}", f"{en_c} {en}"),
            about=(f"宽松版型的{zh_c}{zh}，成衣水洗。", f"A loosely cut {en_c.lower()} {en}, washed before sale."),
            category="clothing-tops",
            kind="physical",
            icon=icon,
            minor=minor + extra,
            axes=(_SIZE, _COLOUR),
            weight_g=400,
            stock=18,
            facts=(("Material", f"100% {en_c.lower()}"), ("Care", "30 °C, line dry")),
        )
    bags = (
        ("tote", "托特包", "tote bag", 9900),
        ("satchel", "斜挎包", "satchel", 14900),
        ("pouch", "收纳包", "pouch", 4900),
    )
    for (key, zh, en, minor), (cloth, zh_c, en_c, extra) in product(bags, cloths[:4]):
        yield Line(
            handle=f"{cloth}-{key}",
            title=(f"{zh_c}{zh}", f"{en_c} {en}"),
            about=(f"{zh_c}{zh}，内袋可放水杯。", f"A {en_c.lower()} {en} with a pocket for a bottle."),
            category="clothing-bags",
            kind="physical",
            icon="bag",
            minor=minor + extra,
            axes=(_COLOUR,),
            weight_g=350,
            stock=30,
        )


def _full_grain_kitchen() -> Iterator[Line]:
    pans = (
        ("pan", "平底锅", "frying pan", 19900),
        ("wok", "炒锅", "wok", 23900),
        ("pot", "汤锅", "stock pot", 26900),
        ("steamer", "蒸笼", "steamer", 8900),
    )
    metals = (
        ("iron", "铸铁", "Cast-iron", 0),
        ("steel", "精钢", "Carbon-steel", 2000),
        ("clad", "三层钢", "Clad-steel", 8000),
    )
    for (key, zh, en, minor), (metal, zh_m, en_m, extra) in product(pans, metals):
        yield Line(
            handle=f"{metal}-{key}",
            title=(f"{zh_m}{zh}", f"{en_m} {en}"),
            about=(
                f"{zh_m}{zh}，开锅即用，燃气与电磁炉通用。",
                f"A {en_m.lower()} {en}, seasoned, for gas and induction.",
            ),
            category="home-kitchen",
            kind="physical",
            icon="bowl",
            minor=minor + extra,
            axes=(_DIAMETER,),
            weight_g=1900,
            stock=20,
            facts=(("Hob", "gas, induction, ceramic"),),
        )
    tools = (
        ("cleaver", "菜刀", "cleaver", 15900),
        ("board", "砧板", "cutting board", 8900),
        ("spatula", "锅铲", "spatula", 2900),
        ("ladle", "汤勺", "ladle", 2900),
        ("chopsticks", "筷子", "chopsticks", 1900),
        ("bowl", "饭碗", "rice bowl", 2200),
    )
    woods = (("walnut", "胡桃木", "Walnut", 2000), ("bamboo", "竹", "Bamboo", 0), ("beech", "榉木", "Beech", 800))
    for (key, zh, en, minor), (wood, zh_w, en_w, extra) in product(tools, woods):
        yield Line(
            handle=f"{wood}-{key}",
            title=(f"{zh_w}{zh}", f"{en_w} {en}"),
            about=(
                f"{zh_w}{zh}，表面只涂食用油。",
                f"A {en} of {en_w.lower()}, finished with nothing but food-grade oil.",
            ),
            category="home-kitchen",
            kind="physical",
            icon="tool",
            minor=minor + extra,
            weight_g=300,
            stock=80,
        )
    lamps = (
        ("desk", "台灯", "desk lamp", 16900),
        ("floor", "落地灯", "floor lamp", 35900),
        ("night", "小夜灯", "night light", 4900),
    )
    shades = (
        ("paper", "宣纸", "Paper-shade", 0),
        ("linen", "亚麻罩", "Linen-shade", 1500),
        ("brass", "黄铜", "Brass", 6000),
    )
    for (key, zh, en, minor), (shade, zh_s, en_s, extra) in product(lamps, shades):
        yield Line(
            handle=f"{shade}-{key}",
            title=(f"{zh_s}{zh}", f"{en_s} {en}"),
            about=(f"暖光{zh}，可调亮度。", f"A dimmable {en} with warm light."),
            category="home-lighting",
            kind="physical",
            icon="lamp",
            minor=minor + extra,
            weight_g=1200,
            stock=15,
            facts=(("Light", "2700 K, dimmable"), ("Plug", "CN")),
        )


def _lamplight_books() -> Iterator[Line]:
    papers = (
        ("notebook", "笔记本", "notebook", 3900),
        ("diary", "手账", "diary", 5900),
        ("sketchbook", "速写本", "sketchbook", 4900),
        ("letter-set", "信笺套装", "letter set", 2900),
    )
    covers = (
        ("cloth", "布面", "Cloth-bound", 1000),
        ("kraft", "牛皮纸", "Kraft", 0),
        ("silk", "宋锦", "Brocade", 3000),
        ("leather", "植鞣革", "Leather", 8000),
    )
    for (key, zh, en, minor), (cover, zh_c, en_c, extra) in product(papers, covers):
        yield Line(
            handle=f"{cover}-{key}",
            title=(f"{zh_c}{zh}", f"{en_c} {en}"),
            about=(f"{zh_c}{zh}，道林纸，可平摊。", f"A {en_c.lower()} {en} of cream paper that lies flat."),
            category="books-paper",
            kind="physical",
            icon="book",
            minor=minor + extra,
            axes=(_FORMAT,),
            weight_g=320,
            stock=45,
        )
    subjects = (
        ("tea", "茶", "tea"),
        ("cooking", "家常菜", "home cooking"),
        ("gardens", "园林", "gardens"),
        ("calligraphy", "书法", "calligraphy"),
        ("walking", "徒步", "walking"),
        ("astronomy", "观星", "stargazing"),
        ("repair", "修缮", "mending"),
        ("bread", "面包", "bread"),
    )
    kinds = (
        ("handbook", "手册", "handbook", 2900, "一册讲清楚。", "All of it in one volume."),
        ("journal", "随笔", "journal", 1900, "作者十年的笔记。", "Ten years of the author's notes."),
        ("course", "入门课", "beginner's course", 4900, "十二讲，附练习。", "Twelve lessons with exercises."),
    )
    for (key, zh, en), (kind, zh_k, en_k, minor, text_zh, text_en) in product(subjects, kinds):
        yield Line(
            handle=f"{key}-{kind}",
            title=(f"{zh}{zh_k}（电子书）", f"A {en_k} of {en} (e-book)"),
            about=(text_zh, text_en),
            category="books-digital",
            kind="virtual",
            icon="book",
            minor=minor,
            stock=500,
            facts=(("Format", "EPUB, PDF"),),
        )


def _digital_harbour() -> Iterator[Line]:
    goods = (
        ("case", "手机壳", "phone case", "phone", 4900, "digital-accessories"),
        ("stand", "手机支架", "phone stand", "phone", 3900, "digital-accessories"),
        ("cable", "数据线", "charging cable", "phone", 2900, "digital-accessories"),
        ("charger", "充电器", "charger", "phone", 8900, "digital-accessories"),
        ("earphones", "耳机", "earphones", "phone", 15900, "digital-accessories"),
        ("power-bank", "充电宝", "power bank", "phone", 12900, "digital-accessories"),
    )
    makes = (
        ("slim", "轻薄", "Slim", 0),
        ("tough", "防摔", "Tough", 1500),
        ("fast", "快充", "Fast", 2500),
        ("travel", "旅行", "Travel", 1000),
    )
    for (key, zh, en, icon, minor, category), (make, zh_m, en_m, extra) in product(goods, makes):
        yield Line(
            handle=f"{make}-{key}",
            title=(f"{zh_m}{zh}", f"{en_m} {en}"),
            about=(f"{zh_m}款{zh}，两年质保。", f"A {en_m.lower()} {en} with two years of warranty."),
            category=category,
            kind="physical",
            icon=icon,
            minor=minor + extra,
            axes=(_LENGTH,) if key == "cable" else (_COLOUR,),
            weight_g=150,
            stock=70,
        )
    vouchers = (
        ("cinema", "电影票", "cinema", (3900, 7600)),
        ("coffee", "咖啡", "coffee", (2000, 5000)),
        ("music", "音乐会员", "music", (1500, 16800)),
        ("cloud", "网盘会员", "cloud storage", (1200, 12800)),
        ("bakery", "面包房", "bakery", (3000, 10000)),
    )
    for key, zh, en, amounts in vouchers:
        for number, minor in enumerate(amounts, 1):
            yield Line(
                handle=f"{key}-voucher-{number}",
                title=(f"{zh}电子券 {minor // 100} 元", f"{en.capitalize()} voucher, {minor // 100} yuan"),
                about=("付款后发送券码，一年内有效。", "The code is sent once it is paid; valid for a year."),
                category="digital-vouchers",
                kind="virtual",
                icon="ticket",
                minor=minor,
                stock=300,
            )


def _neighbours() -> Iterator[Line]:
    jobs = (
        ("cleaning", "保洁", "cleaning", 12000),
        ("air-con", "空调清洗", "air-conditioner cleaning", 9900),
        ("locks", "换锁", "lock fitting", 18000),
        ("plumbing", "水管维修", "plumbing", 15000),
        ("furniture", "家具安装", "furniture assembly", 8000),
        ("moving", "小件搬运", "small removals", 16000),
    )
    lengths = Axis("Hours", (("2 h", 0), ("4 h", 9000), ("8 h", 24000)))
    times = (("weekday", "工作日", "weekday", 0), ("weekend", "周末", "weekend", 3000))
    for (key, zh, en, minor), (when, zh_w, en_w, extra) in product(jobs, times):
        yield Line(
            handle=f"{key}-{when}",
            title=(f"{zh}上门服务（{zh_w}）", f"{en.capitalize()} at home, {en_w}"),
            about=(
                "持证师傅上门，先验收后付尾款。",
                "A licensed worker comes to you; you check the work before it counts as done.",
            ),
            category="services",
            kind="service",
            icon="tool",
            minor=minor + extra,
            axes=(lengths,),
            stock=12,
        )


SHOPS: tuple[Shop, ...] = (
    Shop("tea", ("山间茶事", "Mountain Tea House"), ("福建武夷山的一家茶庄。", "A tea house in the Wuyi hills."),
         800, 19900, 300, tuple(_mountain_tea())),
    Shop("thread", ("一针一线", "Thread and Needle"), ("小批量天然面料服饰。", "Clothes of natural cloth, in small runs."),
         1000, 29900, 500, tuple(_thread_and_needle())),
    Shop("kitchen", ("小满厨房", "Full Grain Kitchen"), ("厨房与灯下的器物。", "Things for the kitchen and the lamp-lit table."),
         1200, 39900, 400, tuple(_full_grain_kitchen())),
    Shop("books", ("灯下书房", "Lamplight Books"), ("纸本与电子书。", "Paper, and books without paper."),
         600, 9900, 300, tuple(_lamplight_books())),
    Shop("harbour", ("数码港", "Digital Harbour"), ("配件与卡券。", "Accessories and vouchers."),
         500, 9900, 600, tuple(_digital_harbour())),
    Shop("neighbours", ("邻里到家", "Neighbours at Home"), ("社区上门服务。", "Services at your door."),
         0, None, 800, tuple(_neighbours())),
)  # fmt: skip
