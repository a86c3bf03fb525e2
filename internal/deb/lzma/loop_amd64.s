#include "go_asm.h"
#include "textflag.h"

// loopGo, arranged for its chain of dependencies: every bit waits for the bit
// before it. While a bit of a tree is decoded, both probabilities that can come
// next are loaded, and the bit selects one of them. So the chain is shift,
// multiply, subtract, select, and no load is in it; compilers do not find that.
// Bits that say what follows (a match or not, which kind) are branches here as
// there, and so are the bits of a literal that are like those of the byte
// which the last match would have gone on with.
//
// Registers, all through:
//
//	R8  rng     R10  next byte of in     R12  s
//	R9  code    R11  next byte of out    R13  s.kind
//
// and in a tree:
//
//	DI  probs   SI  symbol               DX   probs[symbol]

// NORMAL takes a byte of in when rng is low.
#define NORMAL(ready) \
	CMPL R8, $const_topValue; \
	JCC  ready; \
	SHLL $8, R8; \
	SHLL $8, R9; \
	MOVB (R10), R9; \
	INCQ R10; \
ready:

// BIT decodes the bit whose probability is at DI. It goes on when that is
// zero; for a one it jumps to one, which has to begin with ONE.
#define BIT(ready, one) \
	MOVWLZX (DI), DX; \
	NORMAL(ready) \
	MOVL R8, AX; \
	SHRL $11, AX; \
	IMULL DX, AX; \
	CMPL R9, AX; \
	JCC  one; \
	MOVL AX, R8; \
	MOVL $const_probTotal, CX; \
	SUBL DX, CX; \
	SHRL $const_moveBits, CX; \
	ADDL CX, DX; \
	MOVW DX, (DI)

#define ONE \
	SUBL AX, R8; \
	SUBL AX, R9; \
	MOVL DX, CX; \
	SHRL $const_moveBits, CX; \
	SUBL CX, DX; \
	MOVW DX, (DI)

// ROOT begins the tree at DI.
#define ROOT \
	MOVL    $1, SI; \
	MOVWLZX 2(DI), DX

// TREE decodes one bit of the tree at DI. For the last bit of a tree it loads
// two values behind it, which are in s and are not used.
#define TREE(ready) \
	NORMAL(ready) \
	MOVL    R8, AX; \
	SHRL    $11, AX; \
	IMULL   DX, AX; \
	MOVWLZX (DI)(SI*4), BX; \
	MOVWLZX 2(DI)(SI*4), CX; \
	LEAL    -const_half(DX), R15; \
	MOVL    R9, R14; \
	SUBL    AX, R8; \
	SUBL    AX, R9; \
	CMOVLCC DX, R15; \
	CMOVLCS AX, R8; \
	CMOVLCS R14, R9; \
	CMOVLCS BX, CX; \
	LEAL    (SI)(SI*1), BX; \
	SBBL    $-1, BX; \
	SARL    $const_moveBits, R15; \
	SUBL    R15, DX; \
	MOVW    DX, (DI)(SI*2); \
	MOVL    BX, SI; \
	MOVL    CX, DX

// MATCHED decodes one bit of a literal whose bits were those of a byte so far.
// R11 is that byte with a one above it; left is how many of its bits follow.
// Where the probability lies is known from the byte, before the bits are. When
// this bit is another than the byte's, the rest of the literal is a plain tree:
// MATCHED jumps to other, with the byte's symbol in SI.
#define MATCHED(left, ready, other) \
	MOVL    R11, SI; \
	SHRL    $left, SI; \
	MOVL    SI, BX; \
	ANDL    $1, BX; \
	MOVL    BX, AX; \
	SHLL    $8, AX; \
	MOVL    SI, CX; \
	SHRL    $1, CX; \
	LEAL    0x100(AX)(CX*1), CX; \
	MOVWLZX (DI)(CX*2), DX; \
	NORMAL(ready) \
	MOVL    R8, AX; \
	SHRL    $11, AX; \
	IMULL   DX, AX; \
	LEAL    -const_half(DX), R15; \
	MOVL    R9, R14; \
	SUBL    AX, R8; \
	SUBL    AX, R9; \
	CMOVLCC DX, R15; \
	CMOVLCS AX, R8; \
	CMOVLCS R14, R9; \
	SBBL    AX, AX; \
	SARL    $const_moveBits, R15; \
	SUBL    R15, DX; \
	MOVW    DX, (DI)(CX*2); \
	INCL    AX; \
	CMPL    AX, BX; \
	JNE     other

// OTHER goes on from MATCHED with the next bit of the tree.
#define OTHER(next) \
	XORL    $1, SI; \
	MOVWLZX (DI)(SI*2), DX; \
	JMP     next

// func loopAsm(s *state, in, out []byte, at, end, pos, start, since int, rng, code uint32) (at2, pos2 int, rng2, code2 uint32, n int, problem problem)
TEXT ·loopAsm(SB), NOSPLIT, $128-144
	MOVQ s+0(FP), R12
	MOVQ in_base+8(FP), AX
	MOVQ at+56(FP), R10
	ADDQ AX, R10
	ADDQ end+64(FP), AX
	MOVQ AX, inLast-8(SP)
	MOVQ out_base+32(FP), AX
	MOVQ pos+72(FP), R11
	ADDQ AX, R11
	MOVQ start+80(FP), BX
	ADDQ AX, BX
	MOVQ BX, outStart-16(SP)
	MOVQ since+88(FP), BX
	SUBQ AX, BX
	MOVQ BX, since-24(SP)         // plus R11: bytes since the dictionary was reset
	ADDQ out_len+40(FP), AX
	MOVQ AX, outEnd-32(SP)
	MOVL rng+96(FP), R8
	MOVL code+100(FP), R9

	MOVQ state_kind(R12), R13
	MOVL state_rep0(R12), AX
	MOVL AX, rep0-36(SP)
	MOVL state_rep1(R12), AX
	MOVL AX, rep1-40(SP)
	MOVL state_rep2(R12), AX
	MOVL AX, rep2-44(SP)
	MOVL state_rep3(R12), AX
	MOVL AX, rep3-48(SP)
	MOVL $8, AX
	SUBQ state_lc(R12), AX
	MOVQ AX, lcRest-56(SP)

next:
	CMPQ R11, outEnd-32(SP)
	JCC  done
	CMPQ R10, inLast-8(SP)
	JHI  inputEnds
	MOVQ R11, AX
	ADDQ since-24(SP), AX
	ANDQ state_pbMask(R12), AX
	MOVQ AX, posState-64(SP)
	MOVQ R13, BX
	SHLQ $4, BX
	ADDQ AX, BX
	LEAQ state_isMatch(R12)(BX*2), DI
	BIT(isMatchReady, match)

	// A literal.
	XORL AX, AX
	CMPQ R11, outStart-16(SP)
	JLS  firstByte
	MOVBLZX -1(R11), AX
firstByte:
	MOVQ lcRest-56(SP), CX
	SHRL CX, AX
	MOVQ R11, BX
	ADDQ since-24(SP), BX
	ANDQ state_lpMask(R12), BX
	MOVQ state_lc(R12), CX
	SHLQ CX, BX
	ADDQ BX, AX
	ANDL $15, AX
	IMUL3Q $(0x300*2), AX, AX
	LEAQ state_literal(R12)(AX*1), DI
	MOVQ R11, out-72(SP)
	CMPQ R13, $7
	JCC  matched
	ROOT
	TREE(literal0)
literal1:
	TREE(literal1Ready)
literal2:
	TREE(literal2Ready)
literal3:
	TREE(literal3Ready)
literal4:
	TREE(literal4Ready)
literal5:
	TREE(literal5Ready)
literal6:
	TREE(literal6Ready)
literal7:
	TREE(literal7Ready)
literalDone:
	MOVQ out-72(SP), R11
	MOVB SI, (R11)
	INCQ R11
	LEAQ ·afterLiteral(SB), AX
	MOVQ (AX)(R13*8), R13
	JMP  next

matched:
	MOVL rep0-36(SP), AX
	INCQ AX
	MOVQ R11, BX
	SUBQ AX, BX
	MOVL $1, SI // for the message
	CMPQ BX, outStart-16(SP)
	JCS  badMatch
	MOVBLZX (BX), R11
	ORL  $0x100, R11
	MATCHED(7, matched0Ready, other0)
	MATCHED(6, matched1Ready, other1)
	MATCHED(5, matched2Ready, other2)
	MATCHED(4, matched3Ready, other3)
	MATCHED(3, matched4Ready, other4)
	MATCHED(2, matched5Ready, other5)
	MATCHED(1, matched6Ready, other6)
	MATCHED(0, matched7Ready, other7)
	JMP  literalDone
other0:
	OTHER(literal1)
other1:
	OTHER(literal2)
other2:
	OTHER(literal3)
other3:
	OTHER(literal4)
other4:
	OTHER(literal5)
other5:
	OTHER(literal6)
other6:
	OTHER(literal7)
other7:
	XORL $1, SI
	JMP  literalDone

match:
	ONE
	LEAQ state_isRep(R12)(R13*2), DI
	BIT(isRepReady, repeated)
	MOVL rep2-44(SP), AX
	MOVL AX, rep3-48(SP)
	MOVL rep1-40(SP), AX
	MOVL AX, rep2-44(SP)
	MOVL rep0-36(SP), AX
	MOVL AX, rep1-40(SP)
	MOVL $10, AX
	CMPQ R13, $7
	MOVL $7, R13
	CMOVQCC AX, R13
	LEAQ state_matchLen(R12), DI
	JMP  length

repeated:
	ONE
	LEAQ state_isRepG0(R12)(R13*2), DI
	BIT(isRepG0Ready, notRep0)
	MOVQ R13, BX
	SHLQ $4, BX
	ADDQ posState-64(SP), BX
	LEAQ state_isRep0Long(R12)(BX*2), DI
	BIT(isRep0LongReady, rep0Long)
	MOVL $11, AX
	CMPQ R13, $7
	MOVL $9, R13
	CMOVQCC AX, R13
	MOVL $1, SI
	JMP  copy
notRep0:
	ONE
	LEAQ state_isRepG1(R12)(R13*2), DI
	BIT(isRepG1Ready, notRep1)
	MOVL rep0-36(SP), AX
	MOVL rep1-40(SP), BX
	MOVL AX, rep1-40(SP)
	MOVL BX, rep0-36(SP)
	JMP  repeatedLength
notRep1:
	ONE
	LEAQ state_isRepG2(R12)(R13*2), DI
	BIT(isRepG2Ready, notRep2)
	MOVL rep2-44(SP), AX
	JMP  rotate
notRep2:
	ONE
	MOVL rep3-48(SP), AX
	MOVL rep2-44(SP), BX
	MOVL BX, rep3-48(SP)
rotate:
	MOVL rep1-40(SP), BX
	MOVL BX, rep2-44(SP)
	MOVL rep0-36(SP), BX
	MOVL BX, rep1-40(SP)
	MOVL AX, rep0-36(SP)
	JMP  repeatedLength
rep0Long:
	ONE
repeatedLength:
	MOVL $11, AX
	CMPQ R13, $7
	MOVL $8, R13
	CMOVQCC AX, R13
	LEAQ state_repLen(R12), DI

length: // by the model at DI; the length goes to SI
	MOVQ DI, lengths-80(SP)
	ADDQ $lengths_choice, DI
	BIT(choiceReady, notLow)
	MOVQ posState-64(SP), AX
	SHLQ $4, AX
	ADDQ lengths-80(SP), AX
	LEAQ lengths_low(AX), DI
	ROOT
	TREE(low0)
	TREE(low1)
	TREE(low2)
	SUBL $(8-const_minMatch), SI
	JMP  hasLength
notLow:
	ONE
	MOVQ lengths-80(SP), DI
	ADDQ $lengths_choice2, DI
	BIT(choice2Ready, high)
	MOVQ posState-64(SP), AX
	SHLQ $4, AX
	ADDQ lengths-80(SP), AX
	LEAQ lengths_mid(AX), DI
	ROOT
	TREE(mid0)
	TREE(mid1)
	TREE(mid2)
	ADDL $const_minMatch, SI
	JMP  hasLength
high:
	ONE
	MOVQ lengths-80(SP), DI
	ADDQ $lengths_high, DI
	ROOT
	TREE(high0)
	TREE(high1)
	TREE(high2)
	TREE(high3)
	TREE(high4)
	TREE(high5)
	TREE(high6)
	TREE(high7)
	SUBL $(256-16-const_minMatch), SI
hasLength:
	CMPQ R13, $7
	JEQ  distance
	CMPQ R13, $10
	JNE  copy

distance:
	MOVL SI, matched-88(SP)
	MOVL SI, AX
	SUBL $const_minMatch, AX
	MOVL $(const_numLenToPos-1), BX
	CMPL AX, BX
	CMOVLHI BX, AX
	SHLQ $7, AX // 64 probabilities
	LEAQ state_slot(R12)(AX*1), DI
	ROOT
	TREE(slot0)
	TREE(slot1)
	TREE(slot2)
	TREE(slot3)
	TREE(slot4)
	TREE(slot5)
	SUBL $64, SI
	CMPL SI, $const_startPosModel
	JCS  near
	MOVL SI, CX
	SHRL $1, CX
	DECL CX
	MOVL SI, AX
	ANDL $1, AX
	ORL  $2, AX
	SHLL CX, AX
	MOVL AX, base-92(SP)
	CMPL SI, $const_endPosModel
	JCC  far
	SUBL SI, AX
	LEAQ state_special(R12)(AX*2), DI
	MOVL CX, bits-96(SP)
	MOVL CX, count-100(SP)
	ROOT
special:
	TREE(specialReady)
	DECL count-100(SP)
	JNE  special
	// The first bit is the lowest.
	MOVL $1, AX
	MOVL bits-96(SP), CX
	SHLL CX, AX
	SUBL AX, SI
	LEAQ ·reversed(SB), AX
	MOVBLZX (AX)(SI*1), SI
	NEGL CX
	ADDL $5, CX
	SHRL CX, SI
	ADDL base-92(SP), SI
	JMP  near
far:
	SUBL $const_alignBits, CX
	XORL DX, DX
direct:
	NORMAL(directReady)
	SHRL $1, R8
	MOVL R9, R14
	SUBL R8, R9
	CMOVLCS R14, R9
	LEAL (DX)(DX*1), DX
	SBBL $-1, DX
	DECL CX
	JNE  direct
	SHLL $const_alignBits, DX
	ADDL DX, base-92(SP)
	LEAQ state_align(R12), DI
	ROOT
	TREE(align0)
	TREE(align1)
	TREE(align2)
	TREE(align3)
	LEAQ ·reversed(SB), AX
	MOVBLZX -16(AX)(SI*1), SI
	SHRL $1, SI
	ADDL base-92(SP), SI
near:
	MOVL SI, rep0-36(SP)
	MOVL matched-88(SP), SI

copy: // SI bytes
	MOVL rep0-36(SP), AX
	INCQ AX
	MOVQ R11, BX
	SUBQ AX, BX
	CMPQ BX, outStart-16(SP)
	JCS  badMatch
	MOVQ outEnd-32(SP), CX
	SUBQ R11, CX
	CMPQ SI, CX
	JHI  badMatch
	LEAQ (R11)(SI*1), DI // where the match ends
	ADDQ $16, SI
	CMPQ SI, CX
	JHI  bytes // what is copied in words may go 16 bytes too far
	CMPQ AX, $16
	JCS  near16
words:
	MOVOU (BX), X0
	MOVOU X0, (R11)
	ADDQ $16, BX
	ADDQ $16, R11
	CMPQ R11, DI
	JCS  words
	MOVQ DI, R11
	JMP  next
near16:
	CMPQ AX, $8
	JCS  near8
halves:
	MOVQ (BX), DX
	MOVQ DX, (R11)
	ADDQ $8, BX
	ADDQ $8, R11
	CMPQ R11, DI
	JCS  halves
	MOVQ DI, R11
	JMP  next
near8:
	CMPQ AX, $1
	JNE  not1
	MOVBLZX (BX), DX
	MOVQ $0x0101010101010101, AX
	JMP  repeat
not1:
	CMPQ AX, $2
	JNE  not2
	MOVWLZX (BX), DX
	MOVQ $0x0001000100010001, AX
	JMP  repeat
not2:
	CMPQ AX, $4
	JNE  bytes
	MOVL (BX), DX
	MOVQ $0x0000000100000001, AX
repeat: // what lies in 8 bytes a whole number of times
	IMULQ AX, DX
repeats:
	MOVQ DX, (R11)
	ADDQ $8, R11
	CMPQ R11, DI
	JCS  repeats
	MOVQ DI, R11
	JMP  next
bytes:
	MOVBLZX (BX), DX
	MOVB DX, (R11)
	INCQ BX
	INCQ R11
	CMPQ R11, DI
	JCS  bytes
	JMP  next

badMatch:
	MOVQ SI, n+128(FP)
	MOVQ $const_problemMatch, AX
	JMP  return
inputEnds:
	MOVQ $const_problemInput, AX
	JMP  return
done:
	XORL AX, AX
return:
	MOVQ AX, problem+136(FP)
	SUBQ in_base+8(FP), R10
	MOVQ R10, at2+104(FP)
	SUBQ out_base+32(FP), R11
	MOVQ R11, pos2+112(FP)
	MOVL R8, rng2+120(FP)
	MOVL R9, code2+124(FP)
	MOVQ R13, state_kind(R12)
	MOVL rep0-36(SP), AX
	MOVL AX, state_rep0(R12)
	MOVL rep1-40(SP), AX
	MOVL AX, state_rep1(R12)
	MOVL rep2-44(SP), AX
	MOVL AX, state_rep2(R12)
	MOVL rep3-48(SP), AX
	MOVL AX, state_rep3(R12)
	RET
